package musicstudio.errors;

import musicstudio.Response;

/** A success that is not what the contract says. */
public final class InvalidResponseException extends MusicStudioException {
  private static final long serialVersionUID = 1L;

  /** Status and headers. */
  private final transient Response<?> response;

  /**
   * The error of a response that cannot be read.
   *
   * @param response the response
   * @param cause the failure
   */
  public InvalidResponseException(Response<?> response, Throwable cause) {
    super("The response is not what the contract says: " + cause.getMessage(), cause);
    this.response = response;
  }

  /**
   * The response.
   *
   * @return status and headers
   */
  public Response<?> response() {
    return response;
  }
}
