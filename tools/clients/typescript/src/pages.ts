import { Call, NotModified } from './transport.js';

type Get<Page> = (offset: number | undefined, ifNoneMatch: string | undefined) => Call<Page | NotModified>;

/** All items of a list: iterating gets page after page. Nothing is sent before. */
export class Pages<Item, Page> implements AsyncIterable<Item> {
  constructor(
    protected readonly get: Get<Page>,
    private readonly items: (page: Page) => readonly Item[],
    private readonly limit: (page: Page) => number | undefined,
    protected readonly offset: number | undefined,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    for await (const page of this.pages()) yield* this.items(page);
  }

  /** Every page; the last one has fewer items than its limit. */
  async *pages(): AsyncGenerator<Page> {
    for (let offset = this.offset; ; ) {
      const page = await (this.get(offset, undefined) as Call<Page>);
      yield page;
      const count = this.items(page).length;
      if (count === 0 || count < (this.limit(page) ?? 0)) return;
      offset = (offset ?? 0) + count;
    }
  }

  /** The first page alone. */
  first(): Call<Page> {
    return this.get(this.offset, undefined) as Call<Page>;
  }
}

/** Pages of a list with an ETag. */
export class ConditionalPages<Item, Page> extends Pages<Item, Page> {
  /** The first page, unless the version with this ETag is still the newest. */
  firstUnless(ifNoneMatch: string): Call<Page | NotModified> {
    return this.get(this.offset, ifNoneMatch);
  }
}
