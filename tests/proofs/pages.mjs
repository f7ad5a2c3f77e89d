// Opens the documentation in a real Chromium as readers do, and prints as JSON what the browser saw.
import { readFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [origin, key, folder, paths, pictured] = process.argv.slice(2).map((text, index) => (index < 3 ? text : text.split(",")));
const DESKTOP = { viewport: { width: 1280, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const VIEWS = {
  light: { ...DESKTOP, colorScheme: "light" },
  dark: { ...DESKTOP, colorScheme: "dark" },
  phone: { ...PHONE, colorScheme: "light" },
  "dark-phone": { ...PHONE, colorScheme: "dark" },
};
const HOME = "/docs/api-reference/music";
const OPERATION = { slug: "get-collection", link: "Get a music collection", path: "/music/{organization_id}/collections/{collection_id}" };
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const seen = { requests: [], complaints: [], views: {}, findings: {}, dialogs: {}, lost: {}, explorer: {}, drawn: {} };

async function open(browser, options, path) {
  const context = await browser.newContext({ ...options, reducedMotion: "reduce", permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("console", (line) => ["error", "warning"].includes(line.type()) && seen.complaints.push(`${page.url()}: ${line.text()}`));
  page.on("pageerror", (error) => seen.complaints.push(`${page.url()}: ${error}`));
  await page.goto(origin + path, { waitUntil: "networkidle" });
  return page;
}

/** A picture of a page that has come to rest: one that a second picture does not differ from. */
async function takePicture(page, path) {
  let [last, next] = [null, await page.screenshot({ path })];
  while (last === null || !last.equals(next)) {
    await page.waitForTimeout(200);
    [last, next] = [next, await page.screenshot({ path })];
  }
}

/** All pages in one view: the title, whether something is too wide, what axe finds, and pictures of some. */
async function look(browser, name) {
  const page = await open(browser, VIEWS[name], "/docs");
  for (const path of paths) {
    if (page.url() !== origin + path) await page.goto(origin + path);
    await page.evaluate(AXE);
    const { violations } = await page.evaluate((runOnly) => axe.run(document, { runOnly, resultTypes: ["violations"] }), RULES);
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(" ")}`);
    if (found.length) seen.findings[`${name} ${path}`] = found;
    // Not window.innerWidth: a phone's browser zooms out until all of a page that is too wide is in the window.
    const wide = (await page.evaluate(() => document.documentElement.scrollWidth)) > VIEWS[name].viewport.width;
    const cut = await page.locator(".table").evaluateAll((tables) => tables.some((table) => table.scrollWidth > table.clientWidth));
    const overflow = wide || cut;
    seen.views[`${name} ${path}`] = { title: await page.locator("h1").first().innerText(), overflow };
    if (path === "/docs") seen.drawn[name] = await page.locator(".story img").evaluate((drawn) => drawn.clientWidth / drawn.naturalWidth);
    if (pictured.includes(path)) await takePicture(page, `${folder}/${name}${path.replaceAll("/", "-")}.png`);
  }
  await search(page, "COLLECTION_FULL");
  await page.getByRole("dialog").getByRole("link").first().waitFor();
  seen.dialogs[name] = await findings(page);
  await takePicture(page, `${folder}/${name}-search.png`);
  await page.context().close();
}

/** The way of a reader with a keyboard: skip link, search, language. */
async function useKeyboard(browser) {
  const page = await open(browser, VIEWS.light, `${HOME}/${OPERATION.slug}`);
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  const keyboard = {};
  await page.keyboard.press("Tab");
  keyboard.first = await focused();
  await page.keyboard.press("Enter");
  keyboard.skipped = await focused();
  await search(page, "COLLECTION_FULL");
  await page.getByRole("dialog").getByRole("link").first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/errors#collection_full");
  keyboard.found = new URL(page.url()).pathname + new URL(page.url()).hash;
  await search(page, "track_count");
  await page.getByText("The collection object").first().waitFor();
  keyboard.fields = await page.getByRole("dialog").getByRole("link").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  await page.keyboard.press("Escape");
  keyboard.closed = await page.getByRole("dialog").count();
  await page.goto(`${origin}${HOME}/${OPERATION.slug}`);
  await page.getByRole("radio", { name: "cURL" }).focus();
  await page.keyboard.press("ArrowLeft"); // from the first language to the last
  keyboard.language = await page.locator("[aria-label=Language] input:checked").getAttribute("value");
  await page.goto(`${origin}${HOME}/create-collection`);
  keyboard.kept = await page.locator("[aria-label=Language] input:checked").getAttribute("value");
  await page.getByRole("button", { name: "Copy" }).first().click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  keyboard.copied = await page.evaluate(() => navigator.clipboard.readText());
  keyboard.shown = await page.locator("[aria-label=Language] pre:visible").innerText();
  seen.keyboard = keyboard;
  await page.context().close();
}

async function search(page, words) {
  await page.keyboard.press("/");
  await page.getByRole("searchbox").waitFor();
  await page.keyboard.type(words);
}

async function findings(page) {
  await page.evaluate(AXE);
  return (await page.evaluate((runOnly) => axe.run(document, { runOnly }), RULES)).violations.map(({ id }) => id);
}

/** A request sent from the page of its operation, and what is kept of the key. */
async function tryOut(browser) {
  const page = await open(browser, VIEWS.light, `${HOME}/${OPERATION.slug}`);
  await page.locator(".try summary").click();
  await page.getByLabel("API key").fill(key);
  const fields = await page.locator(".try input").evaluateAll((inputs) => inputs.map(({ name, type }) => `${name} ${type}`));
  const [response] = await Promise.all([
    page.waitForResponse((response) => response.url().includes("/v1/")),
    page.getByRole("button", { name: "Send" }).click(),
  ]);
  await page.locator(".try figure").waitFor();
  const shown = await page.locator(".try figure").innerText();
  const axe = await findings(page);
  await takePicture(page, `${folder}/light-tried.png`);
  await page.reload();
  const kept = await page.evaluate(() => [sessionStorage.length, document.querySelector(".try [name=key]").value, JSON.stringify(localStorage)]);
  const other = await page.context().newPage(); // another tab
  await other.goto(page.url());
  const elsewhere = await other.evaluate(() => document.querySelector(".try [name=key]").value);
  seen.tried = { url: response.url(), status: response.status(), headers: response.request().headers(), shown, axe, fields, kept, elsewhere };
  await page.context().close();
}

/** The documentation without JavaScript: content, languages and the menu of a phone. */
async function withoutScript(browser) {
  const context = await browser.newContext({ ...VIEWS.phone, javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${origin}${HOME}/${OPERATION.slug}`);
  const label = page.locator("[aria-label=Language] label", { hasText: "Rust" });
  await label.click();
  const code = await page.locator("[aria-label=Language] pre:visible").innerText();
  await page.getByRole("button", { name: "Menu" }).click();
  const menu = await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Paging" }).isVisible();
  await takePicture(page, `${folder}/phone-menu.png`);
  const buttons = await page.getByRole("button").allInnerTexts();
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Paging" }).click();
  seen.scriptless = { code, menu, buttons, title: await page.locator("h1").innerText() };
  await context.close();
}

/** An unknown address: a page with the addresses that are nearest, and the search. */
async function getLost(browser, name) {
  const context = await browser.newContext(VIEWS[name]);
  const page = await context.newPage();
  const response = await page.goto(`${origin}${HOME}/get-colection.html`, { waitUntil: "networkidle" });
  const near = await page.locator(".near a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  const axe = await findings(page);
  await takePicture(page, `${folder}/${name}-404.png`);
  await page.locator(".near a").first().click();
  const nearest = await page.locator("h1").innerText();
  await page.goto(`${origin}/docs/%C3%A4/zzzz`);
  const nothing = await page.locator(".near").isVisible();
  await page.getByRole("button", { name: "Search the documentation" }).click();
  await page.getByRole("searchbox").fill("paging");
  await page.getByRole("dialog").getByRole("link").first().click();
  await page.waitForURL("**/paging");
  seen.lost[name] = { status: response.status(), axe, near, nearest, nothing, found: new URL(page.url()).pathname };
  await context.close();
}

/** A link to a field that is folded: it is unfolded and in the window. */
async function followLink(browser) {
  const page = await open(browser, VIEWS.light, `${HOME}/create-collection#response.RateLimit-Policy`);
  const row = page.locator("[id='response.RateLimit-Policy']");
  const box = await row.boundingBox();
  seen.followed = { text: await row.innerText(), top: box.y, open: await row.isVisible() };
  await page.context().close();
}

/** What a reader does in the explorer: the key, the operation, its samples, then the request. */
async function explore(browser) {
  const page = await open(browser, VIEWS.light, "/docs/explorer");
  await page.getByPlaceholder(/^QUxM/).first().fill(key);
  await page.getByRole("link", { name: OPERATION.link }).first().click();
  const run = page.getByRole("button", { name: `Test Request (get ${OPERATION.path})` });
  await run.scrollIntoViewIfNeeded();
  const card = page.locator(".scalar-card", { has: run });
  await card.getByRole("button", { name: "cURL" }).click();
  const samples = await page.getByRole("option").allInnerTexts();
  await page.keyboard.press("Escape");
  await run.click();
  const [response] = await Promise.all([
    page.waitForResponse((response) => response.url().includes("/collections/")),
    page.getByRole("button", { name: "Send get request" }).click(),
  ]);
  await page.getByText("200 OK").first().waitFor();
  await takePicture(page, `${folder}/light-explorer.png`);
  seen.explorer = { samples, url: response.url(), status: response.status(), headers: response.request().headers() };
  await page.context().close();
}

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  for (const name of Object.keys(VIEWS)) await look(browser, name);
  await useKeyboard(browser);
  await tryOut(browser);
  await withoutScript(browser);
  for (const name of Object.keys(VIEWS)) await getLost(browser, name);
  await followLink(browser);
  await explore(browser);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
