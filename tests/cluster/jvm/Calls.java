// A scheduler on Mesos' own Java classes. It makes the calls that it reads from its input, one a
// line, and prints what its callbacks are told, one a line: the test decides what happens when.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.mesos.MesosNativeLibrary;
import org.apache.mesos.MesosSchedulerDriver;
import org.apache.mesos.Protos.CommandInfo;
import org.apache.mesos.Protos.ExecutorID;
import org.apache.mesos.Protos.ExecutorInfo;
import org.apache.mesos.Protos.Filters;
import org.apache.mesos.Protos.FrameworkID;
import org.apache.mesos.Protos.FrameworkInfo;
import org.apache.mesos.Protos.MasterInfo;
import org.apache.mesos.Protos.Offer;
import org.apache.mesos.Protos.OfferID;
import org.apache.mesos.Protos.Request;
import org.apache.mesos.Protos.Resource;
import org.apache.mesos.Protos.SlaveID;
import org.apache.mesos.Protos.Status;
import org.apache.mesos.Protos.TaskID;
import org.apache.mesos.Protos.TaskInfo;
import org.apache.mesos.Protos.TaskState;
import org.apache.mesos.Protos.TaskStatus;
import org.apache.mesos.Protos.Value;
import org.apache.mesos.Scheduler;
import org.apache.mesos.SchedulerDriver;

public class Calls implements Scheduler {
    private final Map<String, TaskStatus> updates = new HashMap<>();
    private final List<Offer> offers = new ArrayList<>();
    private volatile SlaveID agent;
    private volatile boolean throwing;

    // MASTER IMPLICIT [FRAMEWORK-ID]
    public static void main(String[] arguments) throws Exception {
        FrameworkInfo.Builder framework = FrameworkInfo.newBuilder()
                .setName("calls").setUser("").setFailoverTimeout(600).setCheckpoint(true);
        if (arguments.length > 2) {
            framework.setId(FrameworkID.newBuilder().setValue(arguments[2]));
        }
        boolean implicit = Boolean.parseBoolean(arguments[1]);
        Calls calls = new Calls();
        MesosSchedulerDriver driver =
                new MesosSchedulerDriver(calls, framework.build(), arguments[0], implicit);
        print("version", MesosNativeLibrary.version().major);
        print("before", driver.abort());
        print("start", driver.start());
        print("start-again", driver.start());
        Thread joins = new Thread(() -> print("join", driver.join()));
        joins.start();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            try {
                print("did", words[0], calls.act(driver, words));
            } catch (RuntimeException exception) {
                print("threw", words[0], exception.getMessage());
            }
        }
        joins.join();
        print("end", driver.stop());
    }

    private static synchronized void print(Object... words) {
        StringBuilder line = new StringBuilder();
        for (Object word : words) {
            line.append(line.length() == 0 ? "" : " ").append(word);
        }
        System.out.println(line);
    }

    // What is offered, taken by whoever asks: all of it is of one agent.
    private List<OfferID> take() {
        synchronized (offers) {
            List<OfferID> taken = new ArrayList<>();
            for (Offer offer : offers) {
                taken.add(offer.getId());
            }
            offers.clear();
            return taken;
        }
    }

    // The same, once so much memory is offered, in as many offers as it comes in.
    private List<OfferID> take(double memory) throws InterruptedException {
        synchronized (offers) {
            while (offers.stream().mapToDouble(Calls::memory).sum() < memory) {
                offers.wait();
            }
            return take();
        }
    }

    private static double memory(Offer offer) {
        return offer.getResourcesList().stream().filter(it -> it.getName().equals("mem"))
                .mapToDouble(it -> it.getScalar().getValue()).sum();
    }

    private Status decline(MesosSchedulerDriver driver, Filters filters)
            throws InterruptedException {
        Status status = null;
        for (OfferID offer : take(1)) {
            status = driver.declineOffer(offer, filters);
        }
        return status;
    }

    private Status act(MesosSchedulerDriver driver, String[] words) throws Exception {
        Filters filters = Filters.newBuilder().setRefuseSeconds(0.1).build();
        switch (words[0]) {
            case "launch": // TASK SECONDS
                return driver.launchTasks(
                        take(32).get(0),
                        Arrays.asList(task(words[1], "sleep " + words[2])), filters);
            case "launch-on-nothing": // TASK SECONDS
                return driver.launchTasks(
                        OfferID.newBuilder().setValue("none").build(),
                        Arrays.asList(task(words[1], "sleep " + words[2])), filters);
            case "launch-many": // TASK SECONDS
                return driver.launchTasks(
                        take(32), Arrays.asList(task(words[1], "sleep " + words[2])));
            case "accept": // TASK COMMAND: in an executor
                Offer.Operation.Launch launch = Offer.Operation.Launch.newBuilder()
                        .addTaskInfos(executed(words[1], String.join(" ",
                                Arrays.copyOfRange(words, 2, words.length)))).build();
                Offer.Operation operation = Offer.Operation.newBuilder()
                        .setType(Offer.Operation.Type.LAUNCH).setLaunch(launch).build();
                return driver.acceptOffers(take(288), Arrays.asList(operation), filters);
            case "decline":
                return decline(driver, filters);
            case "decline-for-good":
                return decline(
                        driver, Filters.newBuilder().setRefuseSeconds(4294967295.0).build());
            case "kill": // TASK
                return driver.killTask(taskId(words[1]));
            case "revive":
                return driver.reviveOffers();
            case "suppress":
                return driver.suppressOffers();
            case "acknowledge": // TASK
                return driver.acknowledgeStatusUpdate(updates.get(words[1]));
            case "message": // EXECUTOR WORD
                return driver.sendFrameworkMessage(
                        executorId(words[1]), agent,
                        words[2].getBytes(StandardCharsets.UTF_8));
            case "reconcile": // [TASK]
                return driver.reconcileTasks(words.length == 1
                        ? Collections.emptyList()
                        : Arrays.asList(TaskStatus.newBuilder().setTaskId(taskId(words[1]))
                                .setState(TaskState.TASK_RUNNING).build()));
            case "request":
                return driver.requestResources(Arrays.asList(
                        Request.newBuilder().addResources(scalar("cpus", 1)).build()));
            case "null":
                return driver.killTask(null);
            case "throw":
                throwing = true;
                return driver.reconcileTasks(Arrays.asList(TaskStatus.newBuilder()
                        .setTaskId(taskId("nobody")).setState(TaskState.TASK_RUNNING).build()));
            case "abort":
                return driver.abort();
            case "stop":
                return driver.stop();
            case "fail-over":
                return driver.stop(true);
            default:
                throw new IllegalArgumentException("no such call");
        }
    }

    private static TaskID taskId(String name) {
        return TaskID.newBuilder().setValue(name).build();
    }

    private static ExecutorID executorId(String name) {
        return ExecutorID.newBuilder().setValue(name).build();
    }

    private static Resource scalar(String name, double value) {
        return Resource.newBuilder().setName(name).setType(Value.Type.SCALAR)
                .setScalar(Value.Scalar.newBuilder().setValue(value)).build();
    }

    private TaskInfo.Builder described(String name) {
        return TaskInfo.newBuilder().setName(name).setTaskId(taskId(name))
                .setSlaveId(agent)
                .addResources(scalar("cpus", 0.1)).addResources(scalar("mem", 32));
    }

    private TaskInfo task(String name, String command) {
        return described(name).setCommand(CommandInfo.newBuilder().setValue(command)).build();
    }

    private TaskInfo executed(String name, String command) {
        ExecutorInfo executor = ExecutorInfo.newBuilder()
                .setExecutorId(executorId("echo"))
                .addResources(scalar("cpus", 0.5)).addResources(scalar("mem", 256))
                .setCommand(CommandInfo.newBuilder().setValue(command)).build();
        return described(name).setExecutor(executor).build();
    }

    public void registered(SchedulerDriver driver, FrameworkID framework, MasterInfo master) {
        print("registered", framework.getValue(), master.getPort());
    }

    public void reregistered(SchedulerDriver driver, MasterInfo master) {
        print("reregistered", master.getPort());
    }

    public void resourceOffers(SchedulerDriver driver, List<Offer> offers) {
        for (Offer offer : offers) {
            agent = offer.getSlaveId();
            // Before it can be taken: what is said later is of a later offer.
            print("offer", offer.getId().getValue(), offer.getHostname(), offer.getResourcesCount());
            synchronized (this.offers) {
                this.offers.add(offer);
                this.offers.notifyAll();
            }
        }
    }

    public void offerRescinded(SchedulerDriver driver, OfferID offer) {
        synchronized (offers) {
            offers.removeIf(it -> it.getId().equals(offer));
        }
        print("rescinded", offer.getValue());
    }

    public void statusUpdate(SchedulerDriver driver, TaskStatus status) {
        // Before anybody can hear of this update.
        boolean throwing = this.throwing;
        updates.put(status.getTaskId().getValue(), status);
        print("update", status.getTaskId().getValue(), status.getState(), status.getSource(),
                status.hasUuid() ? "uuid" : "no-uuid", status.getMessage());
        if (throwing) {
            throw new IllegalStateException("a scheduler that fails");
        }
    }

    public void frameworkMessage(
            SchedulerDriver driver, ExecutorID executor, SlaveID slave, byte[] data) {
        print("message", executor.getValue(), new String(data, StandardCharsets.UTF_8));
    }

    public void disconnected(SchedulerDriver driver) {
        take();
        print("disconnected");
    }

    public void slaveLost(SchedulerDriver driver, SlaveID slave) {
        print("slaveLost", slave.getValue());
    }

    public void executorLost(
            SchedulerDriver driver, ExecutorID executor, SlaveID slave, int status) {
        print("executorLost", executor.getValue(), status);
    }

    public void error(SchedulerDriver driver, String message) {
        print("error", driver.abort(), message);
    }
}
