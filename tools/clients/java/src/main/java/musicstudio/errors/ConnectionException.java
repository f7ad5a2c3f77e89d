package musicstudio.errors;

/** No whole response came: the connection failed. */
public class ConnectionException extends MusicStudioException {
  private static final long serialVersionUID = 1L;

  /**
   * The error of a connection.
   *
   * @param reason what is known about it
   * @param cause the failure
   */
  public ConnectionException(String reason, Throwable cause) {
    super("The connection failed: " + reason, cause);
  }
}
