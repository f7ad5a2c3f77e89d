package musicstudio.errors;

/** Everything that this client throws on its own. */
public abstract class MusicStudioException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  MusicStudioException(String message, Throwable cause) {
    super(message, cause);
  }
}
