package musicstudio.models;

import com.fasterxml.jackson.annotation.JsonValue;

/**
 * A field that a request has; a request without it has null in its place.
 *
 * @param <T> the type of the value
 * @param value the value; null clears the field
 */
public record Field<T>(@JsonValue T value) {}
