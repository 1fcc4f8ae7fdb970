package dev.pluginrunner.client;

import java.util.Arrays;
import java.util.Locale;

/** Where a run takes place. */
public enum Mode {
    /** In the service's own process, or in one worker that stays. */
    LOCAL,
    /** On the engine's pool of warm workers. */
    TASK,
    /** As a job: the run returns the job's id as soon as the service has recorded it. */
    JOB;

    /**
     * The mode that a word of the service means, for example one of those in {@code serverInfo().getModesList()}.
     *
     * @param word {@code local}, {@code task} or {@code job}
     * @return the mode
     * @throws ValidationException when there is no such mode
     */
    public static Mode of(String word) {
        return Arrays.stream(values())
                .filter(mode -> mode.word().equals(word))
                .findFirst()
                .orElseThrow(() -> Failure.request("/mode", "is \"" + word + "\", not one of local, task, job"));
    }

    /**
     * The service's word for the mode.
     *
     * @return {@code local}, {@code task} or {@code job}
     */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
