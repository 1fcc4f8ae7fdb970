package dev.pluginrunner.client;

import com.google.protobuf.ByteString;
import java.io.File;
import java.net.URI;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.temporal.TemporalAccessor;
import java.time.temporal.TemporalAmount;
import java.util.Base64;
import java.util.Calendar;
import java.util.Currency;
import java.util.Date;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;

/** The one plain text of values that JSON has no word for, and back. */
final class Texts {
    /** What a text becomes where a record asks for such a value. */
    private static final Map<Class<?>, Function<String, Object>> PARSERS = Map.ofEntries(
            Map.entry(Instant.class, text -> OffsetDateTime.parse(text).toInstant()),
            Map.entry(OffsetDateTime.class, OffsetDateTime::parse),
            Map.entry(ZonedDateTime.class, ZonedDateTime::parse),
            Map.entry(LocalDateTime.class, LocalDateTime::parse),
            Map.entry(LocalDate.class, LocalDate::parse),
            Map.entry(LocalTime.class, LocalTime::parse),
            Map.entry(OffsetTime.class, OffsetTime::parse),
            Map.entry(Duration.class, Duration::parse),
            Map.entry(UUID.class, UUID::fromString),
            Map.entry(URI.class, URI::create),
            Map.entry(Path.class, Path::of),
            Map.entry(byte[].class, text -> Base64.getDecoder().decode(text)));

    private Texts() {}

    /** The text of a value; empty when the value has none. */
    static Optional<String> of(Object value) {
        if (value instanceof Character character) return Optional.of(character.toString());
        if (value instanceof Enum<?> constant) return Optional.of(constant.name());
        if (value instanceof byte[] bytes)
            return Optional.of(Base64.getEncoder().encodeToString(bytes));
        if (value instanceof ByteBuffer bytes) return of(ByteString.copyFrom(bytes.duplicate()));
        if (value instanceof ByteString bytes) return of(bytes.toByteArray());
        if (value instanceof TemporalAccessor time) return Optional.of(timeOf(time));
        if (value instanceof Date date)
            return Optional.of(Instant.ofEpochMilli(date.getTime()).toString());
        if (value instanceof Calendar calendar)
            return Optional.of(calendar.toInstant().toString());
        boolean plain = value instanceof TemporalAmount
                || value instanceof UUID
                || value instanceof Path
                || value instanceof File
                || value instanceof URI
                || value instanceof URL
                || value instanceof Currency;
        return plain ? Optional.of(value.toString()) : Optional.empty();
    }

    /** What a text stands for where a type is asked for; empty when the type is none of these. */
    static Optional<Object> parse(String text, Class<?> type) {
        return Optional.ofNullable(PARSERS.get(type)).map(parser -> {
            try {
                return parser.apply(text);
            } catch (RuntimeException malformed) {
                throw new IllegalArgumentException(text + " is no " + type.getSimpleName() + ".", malformed);
            }
        });
    }

    /** ISO 8601 with seconds, which RFC 3339 wants also where they are 0. */
    private static String timeOf(TemporalAccessor time) {
        if (time instanceof OffsetDateTime || time instanceof ZonedDateTime)
            return DateTimeFormatter.ISO_OFFSET_DATE_TIME.format(time);
        if (time instanceof LocalDateTime) return DateTimeFormatter.ISO_LOCAL_DATE_TIME.format(time);
        if (time instanceof LocalTime) return DateTimeFormatter.ISO_LOCAL_TIME.format(time);
        if (time instanceof OffsetTime) return DateTimeFormatter.ISO_OFFSET_TIME.format(time);
        return time.toString();
    }
}
