package musicstudio;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.stream.Collectors;

/**
 * One call of an operation, which may take several attempts. repeatable: to repeat it after a lost response does nothing
 * twice. keyed: it takes an Idempotency-Key.
 */
final class Call {
  final String method;
  final String path;
  final String accept;
  final boolean secured;
  final boolean repeatable;
  final boolean keyed;
  final Map<String, String> headers = new LinkedHashMap<>();
  private final StringJoiner query = new StringJoiner("&", "?", "").setEmptyValue("");
  private Object body;
  private boolean hasBody;

  Call(String method, String path, String accept, boolean secured, boolean repeatable, boolean keyed) {
    this.method = method;
    this.path = path;
    this.accept = accept;
    this.secured = secured;
    this.repeatable = repeatable;
    this.keyed = keyed;
  }

  /** A parameter of the query, unless it is null. */
  Call query(String name, Object value) {
    if (value != null) {
      query.add(encoded(name) + "=" + encoded(text(value)));
    }
    return this;
  }

  /** Each item of a list as a parameter of the query. */
  Call queries(String name, List<?> values) {
    if (values != null) {
      values.forEach(value -> query(name, value));
    }
    return this;
  }

  /** A header, unless it is null. */
  Call header(String name, Object value) {
    if (value != null) {
      headers.put(name, text(value));
    }
    return this;
  }

  Call body(Object content) {
    body = content;
    hasBody = true;
    return this;
  }

  boolean hasBody() {
    return hasBody;
  }

  Object body() {
    return body;
  }

  String target() {
    return path + query;
  }

  /** A value as a part of a path. */
  static String segment(Object value) {
    return encoded(text(value)).replace("+", "%20");
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }

  private static String text(Object value) {
    if (value instanceof List<?> list) {
      return list.stream().map(Call::text).collect(Collectors.joining(","));
    }
    return value instanceof OffsetDateTime moment ? moment.format(DateTimeFormatter.ISO_OFFSET_DATE_TIME) : String.valueOf(value);
  }
}
