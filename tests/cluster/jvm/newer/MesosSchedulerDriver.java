// The driver as later versions of Mesos' jar have it, with calls for some roles of many: it stands
// in the place of the one that came with Spark.

package org.apache.mesos;

import java.util.Collection;
import org.apache.mesos.Protos.*;

public class MesosSchedulerDriver implements SchedulerDriver {
    static {
        MesosNativeLibrary.load();
    }

    private final Scheduler scheduler;
    private final FrameworkInfo framework;
    private final String master;
    private final Collection<String> suppressedRoles;
    private long __driver;

    public MesosSchedulerDriver(
            Scheduler scheduler, FrameworkInfo framework, String master, Collection<String> roles) {
        this.scheduler = scheduler;
        this.framework = framework;
        this.master = master;
        this.suppressedRoles = roles;
        initialize();
    }

    protected native void initialize();
    protected native void finalize();
    public native Status start();
    public native Status stop(boolean failover);
    public native Status abort();
    public native Status join();
    public native Status reviveOffers();
    public native Status reviveOffers(Collection<String> roles);
    public native Status suppressOffers();
    public native Status suppressOffers(Collection<String> roles);
    public native Status updateFramework(FrameworkInfo framework, Collection<String> roles);
    public native Status declineOffer(OfferID offer, Filters filters);

    public Status stop() { return stop(false); }
    public Status run() { return start() == Status.DRIVER_RUNNING ? join() : abort(); }
    public Status declineOffer(OfferID offer) {
        return declineOffer(offer, Filters.getDefaultInstance());
    }

    // The others are as they were.
    public native Status requestResources(Collection<Request> requests);
    public native Status launchTasks(
            Collection<OfferID> offers, Collection<TaskInfo> tasks, Filters filters);
    public native Status launchTasks(Collection<OfferID> offers, Collection<TaskInfo> tasks);
    public native Status launchTasks(OfferID offer, Collection<TaskInfo> tasks, Filters filters);
    public native Status launchTasks(OfferID offer, Collection<TaskInfo> tasks);
    public native Status killTask(TaskID task);
    public native Status acceptOffers(
            Collection<OfferID> offers, Collection<Offer.Operation> operations, Filters filters);
    public native Status acknowledgeStatusUpdate(TaskStatus status);
    public native Status sendFrameworkMessage(ExecutorID executor, SlaveID slave, byte[] data);
    public native Status reconcileTasks(Collection<TaskStatus> statuses);
}
