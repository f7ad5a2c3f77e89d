package musicstudio;

import java.util.List;
import java.util.function.Function;
import java.util.function.ToLongFunction;

/**
 * Pages of a list with an ETag.
 *
 * @param <T> the type of an item
 * @param <P> the type of a page
 */
public final class ConditionalPages<T, P> extends Pages<T, P> {
  ConditionalPages(Get<P> get, Function<P, List<T>> items, ToLongFunction<P> limit, Number offset) {
    super(get, items, limit, offset);
  }

  /**
   * The first page, unless a version is still the newest.
   *
   * @param ifNoneMatch the ETag of that version
   * @return the page; without a value if it is not modified
   */
  public Response<P> firstIfChanged(String ifNoneMatch) {
    return first(ifNoneMatch);
  }
}
