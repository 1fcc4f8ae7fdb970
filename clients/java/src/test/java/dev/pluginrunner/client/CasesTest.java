package dev.pluginrunner.client;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The Java client passes the cases of every client. */
class CasesTest {
    /** How long a case may take: only one that is broken comes to that. */
    private static final Duration PATIENCE = Duration.ofMinutes(5);

    private static final Targets targets = Targets.read();
    private static final CaseRunner runner = new CaseRunner(targets);

    @AfterAll
    static void close() {
        runner.close();
    }

    @TestFactory
    Stream<DynamicTest> cases() {
        List<?> cases = (List<?>) Case.expand(Targets.readJson(Path.of(targets.get("cases"))));
        return cases.stream()
                .map(fields -> new Case((Map<?, ?>) fields))
                .map(one -> DynamicTest.dynamicTest(
                        one.text("name"), () -> assertTimeoutPreemptively(PATIENCE, () -> runner.run(one))));
    }
}
