import java.io.InputStream;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.Scanner;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * JSSE as a peer, told what to do line by line, so that the virtual machine is started once:
 *
 *   client NAME PORT VERSION ROOT [CERTIFICATE KEY]   says hello, hears its echo, closes
 *   server NAME VERSION ROOT CERTIFICATE KEY AUTH     echoes; AUTH is none, want or need
 *
 * Files are PEM, keys PKCS #8 on a curve. Lines begin with NAME: "listening PORT", "open PROTOCOL SUITE", "data TEXT", "end",
 * "failed REASON". Truncations are failures where the property com.sun.net.ssl.requireCloseNotify is set.
 */
public class JavaPeer {
  private static final char[] NO_PASSWORD = new char[0];

  public static void main(String[] arguments) throws Exception {
    Scanner lines = new Scanner(System.in);
    while (lines.hasNextLine()) {
      String[] words = lines.nextLine().split(" ");
      Thread thread = new Thread(() -> run(words));
      thread.setDaemon(true);
      thread.start();
    }
  }

  private static void run(String[] words) {
    String name = words[1];
    try {
      if (words[0].equals("client")) client(name, words);
      else server(name, words);
    } catch (Exception failure) {
      say(name, "failed " + failure.getMessage());
    }
  }

  private static synchronized void say(String name, String what) {
    System.out.println(name + " " + what);
  }

  private static void client(String name, String[] words) throws Exception {
    SSLContext context = words.length > 6 ? context(words[4], words[5], words[6]) : context(words[4], null, null);
    int port = Integer.parseInt(words[2]);
    try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", port)) {
      SSLParameters parameters = socket.getSSLParameters();
      parameters.setServerNames(List.of(new SNIHostName("localhost")));
      parameters.setProtocols(new String[] {"TLSv" + words[3]});
      socket.setSSLParameters(parameters);
      open(name, socket);
      socket.getOutputStream().write("hello\n".getBytes());
      byte[] buffer = new byte[100];
      int length = socket.getInputStream().read(buffer);
      say(name, length < 0 ? "end" : "data " + new String(buffer, 0, length).trim());
    }
  }

  private static void server(String name, String[] words) throws Exception {
    SSLContext context = context(words[3], words[4], words[5]);
    try (SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory()
        .createServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
      listener.setEnabledProtocols(new String[] {"TLSv" + words[2]});
      listener.setWantClientAuth(words[6].equals("want"));
      if (words[6].equals("need")) listener.setNeedClientAuth(true);
      say(name, "listening " + listener.getLocalPort());
      while (true) serve(name, (SSLSocket) listener.accept());
    }
  }

  private static void serve(String name, SSLSocket accepted) {
    try (SSLSocket socket = accepted) {
      open(name, socket);
      byte[] buffer = new byte[100];
      for (int length; (length = socket.getInputStream().read(buffer)) >= 0;) {
        say(name, "data " + new String(buffer, 0, length).trim());
        socket.getOutputStream().write(buffer, 0, length);
      }
      say(name, "end");
    } catch (Exception failure) {
      say(name, "failed " + failure.getMessage());
    }
  }

  private static void open(String name, SSLSocket socket) throws Exception {
    socket.setSoTimeout(8000);
    socket.startHandshake();
    say(name, "open " + socket.getSession().getProtocol() + " " + socket.getSession().getCipherSuite());
  }

  private static SSLContext context(String root, String certificate, String key) throws Exception {
    KeyStore trusted = empty();
    trusted.setCertificateEntry("root", certificates(root)[0]);
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(trusted);
    KeyStore own = empty();
    if (certificate != null) {
      String base64 = Files.readString(Path.of(key)).replaceAll("-----[^-]*-----", "");
      PKCS8EncodedKeySpec der = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(base64));
      own.setKeyEntry("own", KeyFactory.getInstance("EC").generatePrivate(der), NO_PASSWORD, certificates(certificate));
    }
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(own, NO_PASSWORD);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
    return context;
  }

  private static KeyStore empty() throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, NO_PASSWORD);
    return store;
  }

  private static Certificate[] certificates(String file) throws Exception {
    try (InputStream pem = Files.newInputStream(Path.of(file))) {
      return CertificateFactory.getInstance("X.509").generateCertificates(pem).toArray(Certificate[]::new);
    }
  }
}
