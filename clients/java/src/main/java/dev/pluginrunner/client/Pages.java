package dev.pluginrunner.client;

import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** The items of a list that comes page by page; a page is asked for when its first item is. */
final class Pages<T> implements Iterator<T> {
    /** A page, and the token of the next one; empty after the last. */
    record Page<T>(List<T> items, String nextToken) {}

    private final Function<String, Page<T>> read;
    private Iterator<T> items = List.<T>of().iterator();
    private String token = "";
    private boolean last;

    private Pages(Function<String, Page<T>> read) {
        this.read = read;
    }

    static <T> Stream<T> stream(Function<String, Page<T>> read) {
        int characteristics = Spliterator.ORDERED | Spliterator.NONNULL;
        return StreamSupport.stream(Spliterators.spliteratorUnknownSize(new Pages<>(read), characteristics), false);
    }

    @Override
    public boolean hasNext() {
        while (!items.hasNext() && !last) {
            Page<T> page = read.apply(token);
            items = page.items().iterator();
            token = page.nextToken();
            last = token.isEmpty();
        }
        return items.hasNext();
    }

    @Override
    public T next() {
        if (!hasNext()) throw new NoSuchElementException();
        return items.next();
    }
}
