package dev.pluginrunner.client;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;

/**
 * What happens at the service, item by item as it comes. It goes on by itself when the connection is cut or the server
 * restarts. Leave it early with {@link #close()}: that ends the call, not the job. After the last item it is closed.
 *
 * <p>One thread iterates; any may close. A wait throws {@link CancellationException} when its thread is interrupted, and then
 * leaves the thread interrupted, or when the watch is closed; and a {@link PluginRunnerException} when the watch fails.
 *
 * @param <T> what it yields
 */
public final class Watch<T> implements Iterable<T>, Iterator<T>, AutoCloseable {
    private final Source<T> source;
    private T next;
    private boolean ended;

    Watch(Source<T> source) {
        this.source = source;
    }

    /** Returns this watch itself: it can be iterated once. */
    @Override
    public Iterator<T> iterator() {
        return this;
    }

    /** Waits for the next item; false after the last. */
    @Override
    public boolean hasNext() {
        if (next == null && !ended) next = take();
        return next != null;
    }

    /** Waits for the next item and returns it. */
    @Override
    public T next() {
        if (!hasNext()) throw new NoSuchElementException("The watch has ended.");
        T item = next;
        next = null;
        return item;
    }

    @Override
    public void close() {
        source.close();
    }

    private T take() {
        ended = true;
        try {
            T item = source.next();
            ended = item == null;
            return item;
        } catch (InterruptedException interrupted) {
            source.close();
            throw Waiting.interrupted();
        }
    }
}
