import com.dangdang.ddframe.job.api.ShardingContext;
import com.dangdang.ddframe.job.api.simple.SimpleJob;
import com.dangdang.ddframe.job.config.JobCoreConfiguration;
import com.dangdang.ddframe.job.config.simple.SimpleJobConfiguration;
import com.dangdang.ddframe.job.lite.api.JobScheduler;
import com.dangdang.ddframe.job.lite.config.LiteJobConfiguration;
import com.dangdang.ddframe.job.reg.zookeeper.ZookeeperConfiguration;
import com.dangdang.ddframe.job.reg.zookeeper.ZookeeperRegistryCenter;
import java.io.File;

/**
 * Worker for ElasticJob 2.1, which makes its jobs itself, from their class.
 */
public class Worker implements SimpleJob {
    private static String dir;

    @Override
    public void execute(ShardingContext c) {
        System.out.println("begin " + c.getShardingItem());
        if (new File(dir, "throw-" + c.getShardingItem()).delete()) {
            throw new IllegalStateException("thrown as asked");
        }
        try {
            while (new File(dir, "hold-" + c.getShardingItem()).exists()) {
                Thread.sleep(20);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        System.out.println("end " + c.getShardingItem());
    }

    public static void main(String[] args) throws Exception {
        ZookeeperConfiguration config = new ZookeeperConfiguration(args[0], args[1]);
        config.setSessionTimeoutMilliseconds(3000);
        config.setConnectionTimeoutMilliseconds(3000);
        ZookeeperRegistryCenter center = new ZookeeperRegistryCenter(config);
        center.init();
        dir = args[4];
        JobCoreConfiguration core = JobCoreConfiguration.newBuilder(args[2], "0/2 * * * * ?", Integer.parseInt(args[3]))
                .failover(true).misfire(false).build();
        LiteJobConfiguration job = LiteJobConfiguration.newBuilder(new SimpleJobConfiguration(core, "Worker"))
                .monitorExecution(true).build();
        System.out.println("ready");
        while (new File(dir, "hold-start").exists()) {
            Thread.sleep(5);
        }
        new JobScheduler(center, job).init();
        System.out.println("up");
    }
}
