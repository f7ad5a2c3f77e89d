package musicstudio.errors;

import java.time.Duration;

/** The response was not complete in time. */
public final class TimeoutException extends ConnectionException {
  private static final long serialVersionUID = 1L;

  /**
   * The error of an attempt that took too long.
   *
   * @param timeout the time that it had
   * @param cause the failure
   */
  public TimeoutException(Duration timeout, Throwable cause) {
    super("the response was not complete after " + timeout.toMillis() / 1000.0 + " seconds", cause);
  }
}
