// An executor on Mesos' own Java classes: it runs every task that it is given until that is killed,
// and sends back what the framework sends.

import java.nio.charset.StandardCharsets;
import org.apache.mesos.Executor;
import org.apache.mesos.ExecutorDriver;
import org.apache.mesos.MesosExecutorDriver;
import org.apache.mesos.Protos.ExecutorInfo;
import org.apache.mesos.Protos.FrameworkInfo;
import org.apache.mesos.Protos.SlaveInfo;
import org.apache.mesos.Protos.Status;
import org.apache.mesos.Protos.TaskID;
import org.apache.mesos.Protos.TaskInfo;
import org.apache.mesos.Protos.TaskState;
import org.apache.mesos.Protos.TaskStatus;

public class Echo implements Executor {
    public static void main(String[] arguments) {
        Status status = new MesosExecutorDriver(new Echo()).run();
        System.out.println("the driver ended: " + status);
        System.exit(status == Status.DRIVER_STOPPED ? 0 : 1);
    }

    private static void say(ExecutorDriver driver, TaskID task, TaskState state) {
        TaskStatus.Builder status = TaskStatus.newBuilder().setTaskId(task).setState(state);
        driver.sendStatusUpdate(status.setMessage("said by Echo").build());
    }

    public void registered(
            ExecutorDriver driver, ExecutorInfo executor, FrameworkInfo framework, SlaveInfo slave) {
        String words = String.join(
                " ", "registered", executor.getExecutorId().getValue(), framework.getName());
        driver.sendFrameworkMessage(words.getBytes(StandardCharsets.UTF_8));
    }

    public void reregistered(ExecutorDriver driver, SlaveInfo slave) {
        driver.sendFrameworkMessage("reregistered".getBytes(StandardCharsets.UTF_8));
    }

    public void disconnected(ExecutorDriver driver) {
        System.out.println("disconnected");
    }

    public void launchTask(ExecutorDriver driver, TaskInfo task) {
        say(driver, task.getTaskId(), TaskState.TASK_RUNNING);
    }

    public void killTask(ExecutorDriver driver, TaskID task) {
        say(driver, task, TaskState.TASK_KILLED);
    }

    public void frameworkMessage(ExecutorDriver driver, byte[] data) {
        String words = new String(data, StandardCharsets.UTF_8);
        if (words.equals("stop")) {
            driver.stop();
        } else if (words.equals("fail")) {
            System.exit(3);
        } else {
            driver.sendFrameworkMessage(("echo " + words).getBytes(StandardCharsets.UTF_8));
        }
    }

    public void shutdown(ExecutorDriver driver) {
        System.out.println("shutdown");
    }

    public void error(ExecutorDriver driver, String message) {
        System.out.println("error " + message);
    }
}
