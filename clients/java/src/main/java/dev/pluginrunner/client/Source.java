package dev.pluginrunner.client;

/** Where the items of a {@link Watch} come from. */
interface Source<T> extends AutoCloseable {
    /** Returns the next item, or null after the last. */
    T next() throws InterruptedException;

    /** Ends the source; a wait for an item in another thread ends with it. */
    @Override
    void close();
}
