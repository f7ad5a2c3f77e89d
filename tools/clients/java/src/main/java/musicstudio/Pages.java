package musicstudio;

import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A list that comes in pages: iterating gets all items, page after page. Nothing is sent before.
 *
 * @param <T> the type of an item
 * @param <P> the type of a page
 */
public class Pages<T, P> implements Iterable<T> {
  private final Get<P> get;
  private final Function<P, List<T>> items;
  private final ToLongFunction<P> limit;
  private final Number offset;

  /** Gets a page; offset and ifNoneMatch may be null. */
  interface Get<P> {
    Response<P> page(Number offset, String ifNoneMatch);
  }

  Pages(Get<P> get, Function<P, List<T>> items, ToLongFunction<P> limit, Number offset) {
    this.get = get;
    this.items = items;
    this.limit = limit;
    this.offset = offset;
  }

  @Override
  public Iterator<T> iterator() {
    return stream().iterator();
  }

  /**
   * All items; a page is asked for when those of the page before are used up.
   *
   * @return the items
   */
  public Stream<T> stream() {
    return StreamSupport.stream(pages().spliterator(), false).flatMap(page -> items.apply(page).stream());
  }

  /**
   * Every page; the last one has fewer items than its limit.
   *
   * @return the pages
   */
  public Iterable<P> pages() {
    return () -> new PageIterator();
  }

  /**
   * The first page alone.
   *
   * @return the page with its status and headers
   */
  public Response<P> first() {
    return first(null);
  }

  Response<P> first(String ifNoneMatch) {
    return get.page(offset, ifNoneMatch);
  }

  private final class PageIterator implements Iterator<P> {
    private Number start = offset;
    private boolean isLast;

    @Override
    public boolean hasNext() {
      return !isLast;
    }

    @Override
    public P next() {
      if (isLast) {
        throw new NoSuchElementException();
      }
      P page = get.page(start, null).value();
      int count = items.apply(page).size();
      isLast = count == 0 || count < limit.applyAsLong(page);
      start = (start == null ? 0 : start.longValue()) + count;
      return page;
    }
  }
}
