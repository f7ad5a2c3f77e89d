// Opens pages in a real Chromium, tries a request on /docs, and prints as JSON what the browser saw.
import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";

const [origin, key, folder, ...paths] = process.argv.slice(2);
const VIEWS = {
  light: { viewport: { width: 1440, height: 1000 }, colorScheme: "light" },
  dark: { viewport: { width: 1440, height: 1000 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light", isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};
const OPERATION = { link: "Get a music collection", path: "/music/{organization_id}/collections/{collection_id}" };
const seen = { requests: [], complaints: [], views: {}, samples: [], tried: {} };

async function open(browser, name, path) {
  const context = await browser.newContext({ ...VIEWS[name], reducedMotion: "reduce" });
  const page = await context.newPage();
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("console", (line) => ["error", "warning"].includes(line.type()) && seen.complaints.push(`${path}: ${line.text()}`));
  page.on("pageerror", (error) => seen.complaints.push(`${path}: ${error}`));
  await page.goto(origin + path, { waitUntil: "networkidle" });
  return page;
}

/** A picture of a page that has come to rest: one that a second picture does not differ from. */
async function takePicture(page, path) {
  let [last, next] = [null, await page.screenshot({ path })];
  while (last === null || !last.equals(next)) {
    await page.waitForTimeout(500);
    [last, next] = [next, await page.screenshot({ path })];
  }
}

async function look(browser, name, path) {
  const page = await open(browser, name, path);
  const heading = page.getByRole("heading", { level: 1 }).first();
  await heading.waitFor();
  await takePicture(page, `${folder}/${name}${path.replaceAll("/", "-")}.png`);
  // Not window.innerWidth: a phone's browser zooms out until all of a page that is too wide is in the window.
  const overflow = (await page.evaluate(() => document.documentElement.scrollWidth)) > VIEWS[name].viewport.width;
  seen.views[`${name} ${path}`] = { title: await heading.innerText(), overflow };
  await page.context().close();
}

/** What a reader does who wants to see an answer: the key, the operation, its samples, then the request. */
async function tryOut(browser, name) {
  const page = await open(browser, name, "/docs");
  await page.getByPlaceholder(/^QUxM/).first().fill(key);
  await page.getByRole("link", { name: OPERATION.link }).first().click();
  const run = page.getByRole("button", { name: `Test Request (get ${OPERATION.path})` });
  await run.scrollIntoViewIfNeeded();
  const card = page.locator(".scalar-card", { has: run });
  await card.getByRole("button", { name: "cURL" }).click();
  seen.samples = await page.getByRole("option").allInnerTexts();
  await page.keyboard.press("Escape");
  await run.click();
  const [response] = await Promise.all([
    page.waitForResponse((response) => response.url().includes("/collections/")),
    page.getByRole("button", { name: "Send get request" }).click(),
  ]);
  await page.getByText("200 OK").first().waitFor();
  await takePicture(page, `${folder}/${name}-tried.png`);
  seen.tried = { url: response.url(), status: response.status(), headers: response.request().headers(), text: await page.locator("body").innerText() };
  await page.context().close();
}

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  for (const name of Object.keys(VIEWS)) for (const path of paths) await look(browser, name, path);
  await tryOut(browser, "light");
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
