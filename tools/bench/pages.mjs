// Visits pages in Chromium, each with an empty cache, in interleaved rounds; prints one record per visit as JSON.
import { chromium } from "playwright-core";

const [origin, rounds, pages] = [process.argv[2], Number(process.argv[3]), JSON.parse(process.argv[4])];

/** The bytes and requests of everything that a page loads, counted by the network layer of the browser. */
async function counted(page) {
  const session = await page.context().newCDPSession(page);
  const count = { bytes: 0, requests: 0 };
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    count.bytes += encodedDataLength;
    count.requests += 1;
  });
  await session.send("Network.enable");
  return count;
}

/** Milliseconds from the navigation to the first text or picture (Paint Timing). */
const firstPaint = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) =>
        new PerformanceObserver((list) => {
          const [entry] = list.getEntriesByName("first-contentful-paint");
          if (entry) resolve(entry.startTime);
        }).observe({ type: "paint", buffered: true }),
      ),
  );

/** Opens the search and types a word; milliseconds from the key to the first result. */
async function search(page, word) {
  const started = performance.now();
  await page.keyboard.press("/");
  await page.getByRole("searchbox").fill(word);
  await page.getByRole("dialog").getByRole("link").first().waitFor();
  return performance.now() - started;
}

async function visit(browser, { name, path, word }) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const count = await counted(page);
  await page.goto(origin + path, { waitUntil: "networkidle" });
  const painted = word ? await search(page, word) : await firstPaint(page);
  await context.close();
  return { page: name, ...count, milliseconds: Math.round(painted) };
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const records = [];
try {
  await visit(browser, pages[0]); // the first visit starts processes of the browser
  for (let round = 0; round < rounds; round++) for (const page of pages) records.push(await visit(browser, page));
} finally {
  await browser.close();
}
console.log(JSON.stringify(records));
