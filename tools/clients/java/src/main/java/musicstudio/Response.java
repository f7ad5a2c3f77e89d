package musicstudio;

import java.net.http.HttpHeaders;

/**
 * A response: its status, its headers, and what it says.
 *
 * @param <T> the type of the value
 * @param status the status, for example 200
 * @param headers the headers
 * @param value what the body says; null if there is none, as in a response that is not modified
 */
public record Response<T>(int status, HttpHeaders headers, T value) {

  /**
   * The version of the resource, for {@code ifMatch} and {@code ifNoneMatch}.
   *
   * @return the ETag, or null
   */
  public String etag() {
    return header("ETag");
  }

  /**
   * The name of the request in the log of the service.
   *
   * @return the id, or null
   */
  public String requestId() {
    return header("X-Request-ID");
  }

  /**
   * Whether the version of the caller is still the newest.
   *
   * @return whether the status is 304; there is no value then
   */
  public boolean isNotModified() {
    return status == 304;
  }

  String header(String name) {
    return headers.firstValue(name).orElse(null);
  }

  <U> Response<U> with(U other) {
    return new Response<>(status, headers, other);
  }
}
