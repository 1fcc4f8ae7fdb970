package dev.pluginrunner.client;

import dev.pluginrunner.v1.Resources;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;

/** How an action is run, submitted as a job, or its params validated. */
public final class ActionOptions {
    private static final Logger LOG = System.getLogger("dev.pluginrunner.client");

    private final Builder given;

    private ActionOptions(Builder given) {
        this.given = given;
    }

    /**
     * Starts with nothing set.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    Mode mode() {
        return given.mode;
    }

    String entrypoint() {
        return given.entrypoint;
    }

    Map<String, String> env() {
        return given.env;
    }

    String jobId() {
        return given.jobId;
    }

    String jobIdOrNew() {
        return given.jobId.isEmpty() ? UUID.randomUUID().toString() : given.jobId;
    }

    String requestIdOrNew() {
        return given.requestId.isEmpty() ? UUID.randomUUID().toString() : given.requestId;
    }

    Map<String, String> labels() {
        return given.labels;
    }

    Duration timeout() {
        return given.timeout;
    }

    Resources resources() {
        return given.resources;
    }

    /** Tells of what an action does not use of its params. */
    void warn(String plugin, String action, List<Violation> warnings) {
        for (Violation warning : warnings) {
            if (given.onWarning != null) given.onWarning.accept(warning);
            else LOG.log(Level.WARNING, "{0} {1}: {2} {3}", plugin, action, warning.field(), warning.description());
        }
    }

    /** Builds {@link ActionOptions}. */
    public static final class Builder {
        private Mode mode = Mode.LOCAL;
        private String entrypoint = "";
        private Map<String, String> env = Map.of();
        private String jobId = "";
        private String requestId = "";
        private Map<String, String> labels = Map.of();
        private Duration timeout;
        private Resources resources;
        private Consumer<? super Violation> onWarning;

        private Builder() {}

        private Builder(Builder other) {
            mode = other.mode;
            entrypoint = other.entrypoint;
            env = other.env;
            jobId = other.jobId;
            requestId = other.requestId;
            labels = other.labels;
            timeout = other.timeout;
            resources = other.resources;
            onWarning = other.onWarning;
        }

        /**
         * Where a run takes place. A submission does not look at it.
         *
         * @param mode default: {@link Mode#LOCAL}
         * @return this
         */
        public Builder mode(Mode mode) {
            this.mode = mode;
            return this;
        }

        /**
         * Names the code and skips discovery.
         *
         * @param entrypoint {@code package.module:Class} or {@code ./file.js#name}
         * @return this
         */
        public Builder entrypoint(String entrypoint) {
            this.entrypoint = entrypoint;
            return this;
        }

        /**
         * Environment variables for the action.
         *
         * @param env values by name
         * @return this
         */
        public Builder env(Map<String, String> env) {
            this.env = Map.copyOf(env);
            return this;
        }

        /**
         * An id for tracking. Submissions with the same id and content are one job.
         *
         * @param jobId default: a job gets a new one
         * @return this
         */
        public Builder jobId(String jobId) {
            this.jobId = jobId;
            return this;
        }

        /**
         * Makes runs with the same id one run.
         *
         * @param requestId default: a new one for each call, so that its retries are one run
         * @return this
         */
        public Builder requestId(String requestId) {
            this.requestId = requestId;
            return this;
        }

        /**
         * Marks to filter jobs by. A run that is no job has none.
         *
         * @param labels values by name
         * @return this
         */
        public Builder labels(Map<String, String> labels) {
            this.labels = Map.copyOf(labels);
            return this;
        }

        /**
         * The longest time that the action may take.
         *
         * @param timeout default: as the action's configuration says
         * @return this
         */
        public Builder timeout(Duration timeout) {
            this.timeout = timeout;
            return this;
        }

        /**
         * What the action needs of the machine.
         *
         * @param resources default: as the action's configuration says
         * @return this
         */
        public Builder resources(Resources resources) {
            this.resources = resources;
            return this;
        }

        /**
         * Told of what the action does not use of its params, for example of a name that its model does not know, before the
         * call ends.
         *
         * @param consumer takes one such fault after the other; default: it is logged, by {@link System.Logger}
         * @return this
         */
        public Builder onWarning(Consumer<? super Violation> consumer) {
            onWarning = consumer;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return what was set so far
         */
        public ActionOptions build() {
            return new ActionOptions(new Builder(this));
        }
    }
}
