package dev.pluginrunner.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.joining;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;

/** Runs every snippet of docs/java-client.md against the service at PLUGIN_RUNNER_ADDRESS, with the plugins of examples/. */
@DisplayName("The documentation")
@EnabledIfEnvironmentVariable(named = "PLUGIN_RUNNER_ADDRESS", matches = ".+")
@Timeout(60)
class DocumentationTest {
    /** What the page takes for granted after its first snippet. */
    private static final String IMPORTS = """
            import dev.pluginrunner.client.*;
            import dev.pluginrunner.v1.*;
            import java.nio.file.Path;
            import java.time.Duration;
            import java.util.*;
            import java.util.concurrent.CompletableFuture;
            """;

    private static final Targets targets = Targets.read();
    private static final String page = read(Path.of("../../docs/java-client.md"));

    /** What is found in what the snippets print, in their order. */
    private static final List<Pattern> printed = Stream.of(
                    "dataset=penguins, rows=\\d+, columns=.*",
                    "\\d+ rows, \\d+ columns",
                    "2 profiles",
                    "(\\w+ \\d+\\.0 of \\d+\\.0\n)+\\{file=file://.*\\}",
                    "export JOB_STATE_SUCCEEDED",
                    "digits 2\ntables 2",
                    "/params/dataset .+",
                    "embedded \\[local, task, job\\]")
            .map(Pattern::compile)
            .toList();

    @Test
    @DisplayName("says what its snippets do")
    void snippets(@TempDir Path folder) throws Exception {
        List<String> blocks = blocks("java");
        assertEquals(printed.size(), blocks.size());
        List<Path> files = new ArrayList<>();
        for (int at = 0; at < blocks.size(); at++) {
            files.add(Files.writeString(
                    folder.resolve("Snippet" + at + ".java"), program("Snippet" + at, blocks.get(at))));
        }
        compile(files);
        try (URLClassLoader programs =
                new URLClassLoader(new URL[] {folder.toUri().toURL()})) {
            for (int at = 0; at < blocks.size(); at++) {
                Method main = programs.loadClass("Snippet" + at).getMethod("main", String[].class);
                check(main, printed.get(at), blocks.get(at).contains("watchJobs"));
            }
        }
    }

    @Test
    @DisplayName("names the artifact as it is")
    void dependency() {
        String project = read(Path.of("pom.xml")).replaceAll("\\s", "");
        String dependency = blocks("xml").get(0).replaceAll("\\s", "").replaceAll("</?dependency>", "");
        assertTrue(project.contains(dependency), () -> dependency + " is not the artifact");
    }

    private static List<String> blocks(String language) {
        return Pattern.compile("```" + language + "\n(.*?)\n```", Pattern.DOTALL)
                .matcher(page)
                .results()
                .map(block -> block.group(1))
                .toList();
    }

    /** A program that runs a snippet. What has no imports of its own goes on after the first snippet. */
    private static String program(String name, String snippet) {
        String imports =
                snippet.lines().filter(line -> line.startsWith("import ")).collect(joining("\n"));
        String body = snippet.substring(imports.length())
                .replace("runner.example.com:443", targets.get("secure", "address"))
                .replace("the token", targets.get("secure", "token"))
                .replace("ca.pem", targets.get("secure", "ca"));
        if (!body.contains("PluginRunnerClient.")) {
            body = "try (var client = PluginRunnerClient.connect()) {" + body + "}";
        }
        return "%s%npublic class %s { public static void main(String[] args) {%n%s%n} }"
                .formatted(imports.isEmpty() ? IMPORTS : imports, name, body);
    }

    private static void compile(List<Path> files) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter faults = new StringWriter();
        try (StandardJavaFileManager manager = compiler.getStandardFileManager(null, null, null)) {
            var sources = manager.getJavaFileObjectsFromPaths(files);
            List<String> options =
                    List.of("-Xlint:all", "-Werror", "-classpath", System.getProperty("java.class.path"));
            boolean clean = compiler.getTask(faults, manager, null, options, null, sources)
                    .call();
            assertTrue(clean, faults::toString);
        }
    }

    /** Runs a program, and interrupts one that is endless when it has printed what is expected. */
    private static void check(Method main, Pattern expected, boolean endless) throws InterruptedException {
        PrintStream before = System.out;
        Printed text = new Printed(expected);
        System.setOut(new PrintStream(text, true, UTF_8));
        try {
            CompletableFuture<Throwable> error = new CompletableFuture<>();
            Thread thread = new Thread(() -> error.complete(failure(main)));
            thread.start();
            if (endless) {
                text.found.await();
                thread.interrupt();
                assertInstanceOf(CancellationException.class, error.join());
            } else {
                assertNull(error.join());
            }
        } finally {
            System.setOut(before);
        }
        assertEquals(0, text.found.getCount(), () -> "%s is not in:\n%s".formatted(expected, text));
    }

    private static Throwable failure(Method main) {
        try {
            main.invoke(null, (Object) new String[0]);
            return null;
        } catch (InvocationTargetException error) {
            return error.getCause();
        } catch (IllegalAccessException error) {
            return error;
        }
    }

    /** What a program prints, and whether what is expected is in it. */
    private static final class Printed extends ByteArrayOutputStream {
        final CountDownLatch found = new CountDownLatch(1);
        private final Pattern expected;

        Printed(Pattern expected) {
            this.expected = expected;
        }

        @Override
        public synchronized void flush() {
            if (expected.matcher(toString(UTF_8)).find()) found.countDown();
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
