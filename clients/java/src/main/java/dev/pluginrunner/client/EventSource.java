package dev.pluginrunner.client;

import dev.pluginrunner.v1.JobEvent;

/** The events among what a watch of a job yields. */
record EventSource(Source<JobUpdate> updates) implements Source<JobEvent> {
    @Override
    public JobEvent next() throws InterruptedException {
        for (; ; ) {
            JobUpdate update = updates.next();
            if (update == null) return null;
            if (update instanceof JobUpdate.Event next) return next.event();
        }
    }

    @Override
    public void close() {
        updates.close();
    }
}
