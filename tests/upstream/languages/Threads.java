// SPDX-License-Identifier: MIT
import java.io.*;
import java.net.*;
import java.util.*;
import java.util.concurrent.*;

public class Threads {
  static int turn = 0;

  static void turns() throws Exception {
    final Object monitor = new Object();
    List<Thread> all = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      final int me = i;
      Thread thread = new Thread(() -> {
        try {
          for (int round = 0; round < 30; round++) {
            synchronized (monitor) {
              while (turn % 8 != me) monitor.wait();
              turn++;
              monitor.notifyAll();
            }
          }
        } catch (InterruptedException e) {
          System.out.println("interrupted");
        }
      });
      thread.start();
      all.add(thread);
    }
    for (Thread thread : all) thread.join();
    System.out.println("turns " + turn);
  }

  static void serve(Socket socket) {
    try (socket) {
      socket.getInputStream().transferTo(socket.getOutputStream());
    } catch (IOException e) {
      System.out.println("serve: " + e);
    }
  }

  static int ask(int port, int client) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      int sum = 0;
      for (int i = 0; i < 20; i++) {
        byte[] sent = new byte[100 + client];
        Arrays.fill(sent, (byte)i);
        socket.getOutputStream().write(sent);
        if (!Arrays.equals(sent, socket.getInputStream().readNBytes(sent.length))) throw new IOException("other bytes");
        sum += sent.length;
      }
      return sum;
    }
  }

  static long allocate() {
    long sum = 0;
    List<byte[]> kept = new ArrayList<>();
    for (int i = 0; i < 5000; i++) {
      kept.add(new byte[1000]);
      sum += 1000;
      if (kept.size() > 100) kept.clear();
      if (i == 2500) System.gc();
    }
    return sum;
  }

  public static void main(String[] args) throws Exception {
    turns();
    ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread acceptor = new Thread(() -> {
      try {
        while (true) {
          Socket socket = listener.accept();
          new Thread(() -> serve(socket)).start();
        }
      } catch (IOException e) {
        System.out.println("closed");
      }
    });
    acceptor.start();
    ExecutorService pool = Executors.newFixedThreadPool(20);
    List<Future<Integer>> clients = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      final int client = i;
      clients.add(pool.submit(() -> ask(listener.getLocalPort(), client)));
    }
    int bytes = 0;
    for (Future<Integer> client : clients) bytes += client.get();
    System.out.println("bytes " + bytes);
    listener.close();
    acceptor.join();
    List<Future<Long>> heaps = new ArrayList<>();
    for (int i = 0; i < 4; i++) heaps.add(pool.submit(Threads::allocate));
    long sum = 0;
    for (Future<Long> heap : heaps) sum += heap.get();
    System.out.println("allocated " + sum);
    Process child = new ProcessBuilder("sh", "-c", "cat; exit 3").start();
    child.getOutputStream().write("child\n".getBytes());
    child.getOutputStream().close();
    System.out.print(new String(child.getInputStream().readAllBytes()));
    System.out.println(child.waitFor());
    pool.shutdown();
    System.out.println(pool.awaitTermination(90, TimeUnit.SECONDS) ? "end" : "pool");
  }
}
