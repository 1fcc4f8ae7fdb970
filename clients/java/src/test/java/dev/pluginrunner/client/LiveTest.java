package dev.pluginrunner.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.pluginrunner.v1.JobFilter;
import dev.pluginrunner.v1.JobState;
import dev.pluginrunner.v1.Plugin;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@DisplayName("A client of a service")
@Timeout(30)
class LiveTest {
    private record Greeted(String name) {}

    private static final PluginRunnerClient client = Targets.read().connect("plain");

    @AfterAll
    static void close() {
        client.close();
    }

    @Test
    @DisplayName("gives a record as params")
    void record() {
        assertEquals("Hello, Ada!", client.run("greet", "greet", new Greeted("Ada")));
    }

    @Test
    @DisplayName("gets a plugin with the schemas of its actions")
    void plugin() {
        Plugin plugin = client.plugin("greet");
        assertEquals("greet", plugin.getActions(0).getName());
        assertEquals(
                "object",
                Json.fromStruct(plugin.getActions(0).getParamsSchema()).get("type"));
    }

    @Test
    @DisplayName("sees a job come, end and go")
    void jobs() {
        var labels = Map.of("test", UUID.randomUUID().toString());
        var filter = JobFilter.newBuilder().putAllLabels(labels).build();
        var options = ActionOptions.builder().labels(labels).build();
        try (Watch<JobsUpdate> watch = client.watchJobs(filter)) {
            JobHandle job = client.submit("cases", "wait", null, options);
            JobsUpdate.Snapshot first = assertInstanceOf(JobsUpdate.Snapshot.class, watch.next());
            assertEquals(job.id(), first.job().getJobId());
            job.cancel();
            assertEquals(
                    "CANCELLED",
                    assertThrows(PluginExecutionException.class, job::result).reason());
            JobsUpdate.Snapshot latest = first;
            while (latest.job().getState() != JobState.JOB_STATE_CANCELLED) {
                latest = assertInstanceOf(JobsUpdate.Snapshot.class, watch.next());
            }
            client.delete(job.id());
            JobsUpdate update = watch.next();
            while (update instanceof JobsUpdate.Snapshot) update = watch.next();
            assertEquals(new JobsUpdate.Removed(job.id()), update);
        }
    }
}
