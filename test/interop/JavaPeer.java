import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import java.util.stream.Collectors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

/**
 * JSSE as a peer, told what to do line by line, so that the virtual machine is started once: a role, a name, then KEY=VALUE, of which
 * suite, cert, key, auth, visits and end may be left out.
 *
 *   client NAME port= version= root= suite= cert= key= visits= end=   says hello and hears its echo, as often as visits says
 *   server NAME version= root= suite= cert= key= auth= end=           echoes; auth is want or need
 *
 * With end=cut the transport is closed behind the first data, without close_notify. Files are PEM, keys PKCS #8 on a curve or RSA. Lines
 * begin with NAME: "listening PORT", "open PROTOCOL SUITE full|resumed", "data TEXT", "end", "cut", "failed REASON". Truncations are
 * failures where the property com.sun.net.ssl.requireCloseNotify is set. The groups are those of the property jdk.tls.namedGroups; after
 * how much data JSSE wants new keys, is told by the property keyLimits, in the form of the security property jdk.tls.keyLimits.
 */
public class JavaPeer {
  private static final char[] NO_PASSWORD = new char[0];

  public static void main(String[] arguments) throws Exception {
    String limits = System.getProperty("keyLimits");
    if (limits != null) Security.setProperty("jdk.tls.keyLimits", limits);
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
    Map<String, String> options = Arrays.stream(words).skip(2).map(word -> word.split("=", 2))
        .collect(Collectors.toMap(pair -> pair[0], pair -> pair[1]));
    try {
      if (words[0].equals("client")) client(name, options);
      else server(name, options);
    } catch (Exception failure) {
      say(name, "failed " + failure.getMessage());
    }
  }

  private static synchronized void say(String name, String what) {
    System.out.println(name + " " + what);
  }

  private static void client(String name, Map<String, String> options) throws Exception {
    SSLSocketFactory factory = context(options).getSocketFactory();
    int port = Integer.parseInt(options.get("port"));
    for (int visit = 0; visit < Integer.parseInt(options.getOrDefault("visits", "1")); visit++) {
      // A socket of our own below, which can be closed without a word.
      Socket transport = new Socket("127.0.0.1", port);
      try (SSLSocket socket = (SSLSocket) factory.createSocket(transport, "127.0.0.1", port, true)) {
        SSLParameters parameters = parameters(socket, options);
        parameters.setServerNames(List.of(new SNIHostName("localhost")));
        socket.setSSLParameters(parameters);
        open(name, socket);
        socket.getOutputStream().write("hello\n".getBytes());
        byte[] buffer = new byte[100];
        int length = socket.getInputStream().read(buffer);
        say(name, length < 0 ? "end" : "data " + new String(buffer, 0, length).trim());
        if (isCut(options)) cut(name, transport);
      }
    }
  }

  private static void server(String name, Map<String, String> options) throws Exception {
    SSLSocketFactory factory = context(options).getSocketFactory();
    try (ServerSocket listener = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
      say(name, "listening " + listener.getLocalPort());
      while (true) serve(name, listener.accept(), factory, options);
    }
  }

  private static void serve(String name, Socket transport, SSLSocketFactory factory, Map<String, String> options) {
    String auth = options.getOrDefault("auth", "none");
    try (SSLSocket socket = (SSLSocket) factory.createSocket(transport, (InputStream) null, true)) {
      SSLParameters parameters = parameters(socket, options);
      parameters.setWantClientAuth(auth.equals("want"));
      if (auth.equals("need")) parameters.setNeedClientAuth(true);
      socket.setSSLParameters(parameters);
      open(name, socket);
      byte[] buffer = new byte[100];
      for (int length; (length = socket.getInputStream().read(buffer)) >= 0;) {
        say(name, "data " + new String(buffer, 0, length).trim());
        socket.getOutputStream().write(buffer, 0, length);
        if (isCut(options)) {
          cut(name, transport);
          return;
        }
      }
      say(name, "end");
    } catch (Exception failure) {
      say(name, "failed " + failure.getMessage());
    }
  }

  private static SSLParameters parameters(SSLSocket socket, Map<String, String> options) {
    SSLParameters parameters = socket.getSSLParameters();
    parameters.setProtocols(new String[] {"TLSv" + options.get("version")});
    if (options.containsKey("suite")) parameters.setCipherSuites(new String[] {options.get("suite")});
    return parameters;
  }

  private static void open(String name, SSLSocket socket) throws Exception {
    socket.setSoTimeout(8000);
    long begin = System.currentTimeMillis();
    socket.startHandshake();
    SSLSession session = socket.getSession();
    // A session that is resumed keeps the time of its making.
    String handshake = session.getCreationTime() < begin ? "resumed" : "full";
    say(name, "open " + session.getProtocol() + " " + session.getCipherSuite() + " " + handshake);
  }

  private static boolean isCut(Map<String, String> options) {
    return "cut".equals(options.get("end"));
  }

  private static void cut(String name, Socket transport) throws Exception {
    transport.close();
    say(name, "cut");
  }

  private static SSLContext context(Map<String, String> options) throws Exception {
    KeyStore trusted = empty();
    trusted.setCertificateEntry("root", certificates(options.get("root"))[0]);
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(trusted);
    KeyStore own = empty();
    if (options.containsKey("cert")) {
      Certificate[] chain = certificates(options.get("cert"));
      String base64 = Files.readString(Path.of(options.get("key"))).replaceAll("-----[^-]*-----", "");
      PKCS8EncodedKeySpec der = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(base64));
      PrivateKey key = KeyFactory.getInstance(chain[0].getPublicKey().getAlgorithm()).generatePrivate(der);
      own.setKeyEntry("own", key, NO_PASSWORD, chain);
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
