import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.security.MessageDigest;
import java.util.Date;
import java.util.TimeZone;
import java.util.zip.CRC32;
import org.quartz.CronExpression;

/** Prints when Quartz would fire: javac -cp quartz.jar QuartzCheck.java; java -cp quartz.jar:slf4j-api.jar:. QuartzCheck &lt; expressions.tsv */
public class QuartzCheck {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] f = line.split("\t");
            long from = Long.parseLong(f[0]), until = Long.parseLong(f[1]), count = 0, first = 0, last = 0;
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            StringBuilder days = new StringBuilder();
            CRC32 crc = new CRC32();
            long day = -1;
            try {
                CronExpression cron = new CronExpression(f[2]);
                cron.setTimeZone(TimeZone.getTimeZone(f[3]));
                for (Date t = cron.getNextValidTimeAfter(new Date(from * 1000 - 1)); t != null; t = cron.getNextValidTimeAfter(t)) {
                    long at = t.getTime() / 1000;
                    if (at >= until) break;
                    byte[] text = (at + "\n").getBytes("UTF-8");
                    if ((at - from) / 86400 != day) {
                        if (day >= 0) days.append(day).append(':').append(Long.toHexString(crc.getValue())).append(',');
                        day = (at - from) / 86400;
                        crc.reset();
                    }
                    sha.update(text);
                    crc.update(text);
                    last = at;
                    if (count++ == 0) first = at;
                }
                if (day >= 0) days.append(day).append(':').append(Long.toHexString(crc.getValue()));
            } catch (Exception e) {
                System.out.println(line + "\t-1\t0\t0\t-\t" + String.valueOf(e.getMessage()).replaceAll("\\s+", " "));
                continue;
            }
            StringBuilder hex = new StringBuilder();
            for (byte b : sha.digest()) hex.append(String.format("%02x", b));
            System.out.println(line + "\t" + count + "\t" + first + "\t" + last + "\t" + hex + "\t" + days);
        }
    }
}
