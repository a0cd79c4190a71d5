// A scheduler of several roles, on the driver of later versions: it reads calls and roles, one call
// a line, and prints in which roles it is offered something.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import org.apache.mesos.MesosSchedulerDriver;
import org.apache.mesos.Protos.*;
import org.apache.mesos.Scheduler;
import org.apache.mesos.SchedulerDriver;

public class Roles implements Scheduler {
    // MASTER
    public static void main(String[] arguments) throws Exception {
        MesosSchedulerDriver driver = new MesosSchedulerDriver(
                new Roles(), framework("a", "b"), arguments[0], Arrays.asList("a", "b"));
        System.out.println("start " + driver.start());
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            String[] roles = Arrays.copyOfRange(words, 1, words.length);
            System.out.println("did " + words[0] + " " + act(driver, words[0], roles));
        }
        driver.stop();
    }

    private static FrameworkInfo framework(String... roles) {
        FrameworkInfo.Capability several = FrameworkInfo.Capability.newBuilder()
                .setType(FrameworkInfo.Capability.Type.MULTI_ROLE).build();
        return FrameworkInfo.newBuilder().setName("roles").setUser("root")
                .addAllRoles(Arrays.asList(roles)).addCapabilities(several).build();
    }

    private static Status act(MesosSchedulerDriver driver, String call, String... roles) {
        Collection<String> named = Arrays.asList(roles);
        switch (call) {
            case "revive":
                return named.isEmpty() ? driver.reviveOffers() : driver.reviveOffers(named);
            case "suppress":
                return named.isEmpty() ? driver.suppressOffers() : driver.suppressOffers(named);
            case "update":
                return driver.updateFramework(framework(roles), Arrays.asList());
            default:
                throw new IllegalArgumentException(call);
        }
    }

    public void resourceOffers(SchedulerDriver driver, List<Offer> offers) {
        for (Offer offer : offers) {
            System.out.println("offered " + offer.getAllocationInfo().getRole());
            driver.declineOffer(offer.getId());
        }
    }

    public void registered(SchedulerDriver driver, FrameworkID id, MasterInfo master) {
        System.out.println("registered " + master.getHostname());
    }

    public void error(SchedulerDriver driver, String message) {
        System.out.println("error " + message);
    }

    public void reregistered(SchedulerDriver driver, MasterInfo master) {}
    public void offerRescinded(SchedulerDriver driver, OfferID offer) {}
    public void statusUpdate(SchedulerDriver driver, TaskStatus status) {}
    public void frameworkMessage(SchedulerDriver d, ExecutorID e, SlaveID s, byte[] data) {}
    public void disconnected(SchedulerDriver driver) {}
    public void slaveLost(SchedulerDriver driver, SlaveID slave) {}
    public void executorLost(SchedulerDriver d, ExecutorID e, SlaveID s, int status) {}
}
