import BOOTSTRAP.ScheduleJobBootstrap;
import CONTEXT.ShardingContext;
import java.io.File;
import org.apache.shardingsphere.elasticjob.api.JobConfiguration;
import org.apache.shardingsphere.elasticjob.reg.zookeeper.ZookeeperConfiguration;
import org.apache.shardingsphere.elasticjob.reg.zookeeper.ZookeeperRegistryCenter;
import org.apache.shardingsphere.elasticjob.simple.job.SimpleJob;

/**
 * A worker of the genuine ElasticJob: Worker servers namespace job shards dir. A run says so on stdout, and lasts
 * while dir/hold-SHARD exists. It throws once for each dir/throw-SHARD. The instance starts once dir/hold-start is
 * gone.
 */
public class Worker {
    public static void main(String[] args) throws Exception {
        ZookeeperConfiguration config = new ZookeeperConfiguration(args[0], args[1]);
        config.setSessionTimeoutMilliseconds(3000);
        config.setConnectionTimeoutMilliseconds(3000);
        ZookeeperRegistryCenter center = new ZookeeperRegistryCenter(config);
        center.init();
        String dir = args[4];
        SimpleJob job = new SimpleJob() {
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
        };
        JobConfiguration job2 = JobConfiguration.newBuilder(args[2], Integer.parseInt(args[3]))
                .cron("0/2 * * * * ?").failover(true).monitorExecution(true).misfire(false).build();
        System.out.println("ready");
        while (new File(dir, "hold-start").exists()) {
            Thread.sleep(5);
        }
        new ScheduleJobBootstrap(center, job, job2).schedule();
        System.out.println("up");
    }
}
