// Makes objects of the classes whose native half is not there, and prints what comes of each.

import java.util.Collections;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.mesos.Log;
import org.apache.mesos.state.LevelDBState;
import org.apache.mesos.state.LogState;
import org.apache.mesos.state.ZooKeeperState;
import org.apache.mesos.v1.Protos.FrameworkInfo;
import org.apache.mesos.v1.scheduler.Mesos;
import org.apache.mesos.v1.scheduler.Protos.Event;
import org.apache.mesos.v1.scheduler.Scheduler;
import org.apache.mesos.v1.scheduler.V0Mesos;
import org.apache.mesos.v1.scheduler.V1Mesos;

public class Missing {
    public static void main(String[] arguments) {
        TimeUnit seconds = TimeUnit.SECONDS;
        attempt("Log", () -> new Log(1, "/nowhere", Collections.<String>emptySet()));
        attempt("LogOfZooKeeper", () -> new Log(1, "/nowhere", "nobody:1", 1, seconds, "/log"));
        attempt("LevelDBState", () -> new LevelDBState("/nowhere"));
        attempt("ZooKeeperState", () -> new ZooKeeperState("nobody:1", 1, seconds, "/state"));
        attempt("LogState", () -> new LogState("nobody:1", 1, seconds, "/state", 1, "/nowhere"));
        FrameworkInfo framework = FrameworkInfo.getDefaultInstance();
        attempt("V0Mesos", () -> new V0Mesos(new Deaf(), framework, "nobody:1"));
        attempt("V1Mesos", () -> new V1Mesos(new Deaf(), "nobody:1"));
        System.gc();
        System.runFinalization();
        System.out.println("end");
    }

    private static void attempt(String name, Callable<Object> make) {
        try {
            make.call();
            System.out.println(name + " made");
        } catch (Throwable thrown) {
            String kind = thrown.getClass().getSimpleName();
            System.out.println(name + " " + kind + " " + thrown.getMessage());
        }
    }

    private static class Deaf implements Scheduler {
        public void connected(Mesos mesos) {}

        public void disconnected(Mesos mesos) {}

        public void received(Mesos mesos, Event event) {}
    }
}
