// The chat page: wires the parts together and keeps the address in step.

import { Account } from "./account.js";
import { again } from "./again.js";
import { ask } from "./api.js";
import { beginning, missing } from "./blank.js";
import { copyText } from "./clipboard.js";
import { Composer } from "./composer.js";
import { OpenConversation } from "./conversation.js";
import { byId, make } from "./dom.js";
import { Drafting } from "./drafting.js";
import { Refused } from "./events.js";
import { gettext } from "./i18n.js";
import { newId } from "./ids.js";
import { stayAboveKeyboard } from "./keyboard.js";
import { listen } from "./keys.js";
import { goLive } from "./live.js";
import { unmark } from "./marks.js";
import {
  offerPrompts,
  openImport,
  openPrompts,
  openSettings,
  reveal,
  showBanners,
  showShortcuts,
} from "./ondemand.js";
import { ModelPicker } from "./picker.js";
import { address, conversationAt } from "./places.js";
import { PoliteScroll } from "./scroll.js";
import { Sidebar } from "./sidebar.js";
import { StatusLine } from "./status.js";
import { toast } from "./toast.js";
import { placeTopMenu } from "./topmenu.js";
import { announcementOf, progressOf, refusalOf } from "./words.js";

const KEPT_OPEN = 8;
const product = document.body.dataset.product;
const viewport = byId("transcript");
const adminList = byId("admin-link").getAttribute("href");
const open = new Map();
let current = null;
let heartbeatSeconds = 10;

const status = new StatusLine();
const scroll = new PoliteScroll(viewport, byId("jump"));
const picker = new ModelPicker({ onChange: keepModel });
const composer = new Composer({
  onSend: send,
  onStop: () => current?.stop(),
  onFiles: (conversation, ids) => drafting.keepFiles(conversation, ids),
  say: (text) => status.announce(text),
});
const account = new Account({
  onTransport: () => live.changeTransport(),
  more: () => [
    { label: gettext("Prompts…"), run: openPrompts },
    { label: gettext("Import conversations…"), run: () => openImport({ onImported: refreshList }) },
  ],
});
const drafting = new Drafting(composer);
offerPrompts(composer);
let newSettings = {};
const sidebar = new Sidebar({
  onDeleted(id) {
    open.get(id)?.leave();
    open.delete(id);
    const wasOpen = current?.id === id;
    if (wasOpen) go(address("/"));
    return wasOpen;
  },
  onRestored(id) {
    if (!current) go(address(`/c/${id}`));
  },
  onFound: showMessage,
  onRenamed(id) {
    if (current?.id === id) entitle(titleOf(current));
  },
  onTrouble: (text) => status.alarm(text),
});

placeTopMenu({
  conversation: () => current && !current.isNew && { id: current.id, title: titleOf(current) },
  onDelete: (id) => sidebar.delete(id),
  onImported: refreshList,
  onSettings: changeSettings,
});

/** What a conversation tells the page; most of it matters only while it is the one shown. */
const reports = {
  nameOf: (model) => picker.nameOf(model),
  models: () => picker.models,
  chosenModel,
  heartbeatSeconds: () => heartbeatSeconds,
  transport: () => live.transport,
  steady: (one, element, change) => (one === current ? scroll.steady(element, change) : change()),
  onBusy: () => toast(gettext("A reply is being written. Wait for its end, or stop it first.")),
  onChange: (one) => one === current && drawState(),
  onGrown: (one) => one === current && scroll.follow(),
  onStarted(one) {
    status.calm();
    status.announce(gettext("The reply begins."));
    if (one === current) scroll.toEnd();
    reports.onDone(one);
  },
  onDone(one) {
    // The button that was pressed is gone, or about to go.
    const { activeElement: focused } = document;
    if (one === current && (focused === document.body || viewport.contains(focused))) invite();
  },
  onAccepted() {
    live.meet();
    if (!account.isKnown) introduce().catch(alarm); // a visitor is a guest now
    pointAdmin();
    refreshList();
  },
  onSettled(one, reply) {
    if (one === current) status.announce(announcementOf(reply));
    refreshList();
  },
  onSaid: (one, said) => drafting.keepSaid(one, said),
  onOver: (one, replyId) => drafting.forgetSaid(one.id, replyId),
  onNotSent(one, said) {
    if (one === current && one.editAgain(said)) return;
    const { content } = said.body;
    if (!one.isNew) {
      drafting.giveBack(one.id, content);
      return composer.restoreFiles(said.attachments, one.id);
    }
    // There is no such conversation after all: what was meant for it begins another one.
    drafting.giveBack(null, content, one.id);
    composer.moveFiles(one.id, "");
    composer.restoreFiles(said.attachments, "");
    open.delete(one.id);
    sidebar.forget(one.id);
    if (one !== current) return;
    newSettings = one.settings;
    go(address("/"), { replace: true });
  },
  onGone(one) {
    open.delete(one.id);
    if (one === current) showMissing();
    refreshList();
  },
  onTrouble: (one, error) => one === current && alarm(error),
};

const live = goLive({
  conversations: () => open.values(),
  shown,
  readShown: () => refresh(current),
  async readList(changed) {
    const revision = await sidebar.refresh(changed);
    if (shown()) entitle(titleOf(current));
    return revision;
  },
  onDeleted(id) {
    open.get(id)?.leave();
    open.delete(id);
    sidebar.forget(id);
    if (current?.id === id) showMissing();
  },
  readPerson: introduce,
  onReturn: readAnnouncements,
  onSignedOut: () => alarm({ status: 401 }),
  onSignedIn() {
    status.calm();
    introduce().catch(alarm);
  },
  onEvent({ type, announcements }) {
    if (type === "announcement") showBanners(announcements);
    if (type === "models.updated") offerModels().catch(alarm);
  },
  onNetwork: () => drawState(),
});

/** The conversation that is shown, unless it is gone. */
function shown() {
  return open.has(current?.id) ? current : null;
}

/** Show what an address names. */
async function show(pathname) {
  const id = conversationAt(pathname);
  if (current && current.id === id) return;
  current?.leave();
  current = id ? openConversation(id) : null;
  status.calm();
  unmark();
  drafting.open(id);
  composer.openFiles(id ?? "");
  sidebar.select(id);
  sidebar.close();
  pointAdmin();
  if (current?.loaded && !current.isNew) picker.choose(current.model);
  drawState();
  if (!current) {
    entitle("");
    viewport.replaceChildren(beginning((text) => send(text)));
    return;
  }
  entitle(titleOf(current));
  scroll.show(current.transcript.element);
  scroll.toEnd();
  await refresh(current);
}

/** Lead to a message that a search has found. */
async function showMessage(id, messageId, sought) {
  const pathname = address(`/c/${id}`);
  if (location.pathname !== pathname) history.pushState(null, "", pathname);
  sidebar.close();
  await show(pathname);
  if (!messageId || current?.id !== id || !current.showBranchOf(messageId)) return;
  scroll.letGo();
  await reveal(current.transcript.of(messageId).element, sought);
}

async function changeSettings() {
  const one = current?.isNew ? null : current;
  const values = await openSettings(one?.id ?? null, { ...newSettings, model: picker.value });
  if (!values) return;
  if (one) one.use(values.model ?? "");
  else newSettings = { system_prompt: values.system_prompt, settings: values.settings };
  if (one === current) picker.choose(values.model);
}

/** Bring a conversation up to date with what is stored. */
async function refresh(one) {
  if (!one.loaded) viewport.setAttribute("aria-busy", "true");
  try {
    await one.refresh();
    if (one !== current) return;
    if (one.loaded && !one.isNew) picker.choose(one.model);
    composer.sees = picker.sees;
    entitle(titleOf(one));
  } catch (error) {
    if (one !== current) return;
    const isMissing = error instanceof Refused && [401, 404].includes(error.status);
    if (isMissing && one.transcript.isEmpty) showMissing();
    else alarm(error);
  } finally {
    viewport.removeAttribute("aria-busy");
  }
}

function send(text, attachments = []) {
  if (!current) {
    const id = newId();
    current = remember(new OpenConversation(id, reports, { isNew: true, settings: newSettings }));
    newSettings = {};
    history.pushState(null, "", address(`/c/${id}`));
    expect(id, text, attachments);
    composer.openFiles(id);
    sidebar.select(id);
    entitle(titleOf(current));
    scroll.show(current.transcript.element);
  }
  drafting.sent(current.id);
  current.send(text, chosenModel(), attachments);
}

/** The model to ask; of a conversation that is still being read the server knows it. */
function chosenModel() {
  if (current && !current.loaded) return current.model || undefined;
  return picker.value;
}

/** Put a conversation into the list that begins with this. */
function expect(id, text, attachments) {
  const title = text || attachments.map(({ name }) => name).join(", ");
  sidebar.expect(id, title.replace(/\s+/g, " ").slice(0, 60));
}

/** Bring to the server what was sent before this page was loaded. */
function resume() {
  for (const { id, said } of drafting.allSaid) {
    const one = openConversation(id);
    if (said.isNew) expect(id, said.body.content, said.attachments);
    const away = () => {
      if (one !== current) return one.leave();
      scroll.show(one.transcript.element);
      drawState();
    };
    one.resume(said).then(away, alarm);
  }
}

function openConversation(id) {
  return open.get(id) ?? remember(new OpenConversation(id, reports, drafting.begun(id)));
}

function remember(one) {
  open.set(one.id, one);
  for (const [id, other] of open) {
    if (open.size <= KEPT_OPEN) break;
    if (other !== current && other !== one && !other.isRunning) open.delete(id);
  }
  return one;
}

function go(pathname, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", pathname);
  else if (location.pathname !== pathname) history.pushState(null, "", pathname);
  show(pathname);
  invite();
}

/** Put the cursor into the field, but raise no keyboard from the screen. */
function invite() {
  if (matchMedia("(hover: hover)").matches) composer.focus();
}

function drawState() {
  composer.running = current?.isRunning ?? false;
  composer.sees = picker.sees;
  status.say(current?.isRunning ? progressOf(current.connection, current.reply) : live.note);
}

function titleOf(one) {
  return sidebar.titleOf(one.id) || one.title;
}

function entitle(title) {
  byId("title").textContent = title || gettext("New conversation");
  document.title = title ? `${title} · ${product}` : product;
}

function showMissing() {
  entitle(gettext("Not found"));
  viewport.replaceChildren(missing());
}

function alarm(error) {
  if (error.status !== 401 || byId("account").dataset.guests) return status.alarm(refusalOf(error));
  status.alarm(`${gettext("Please sign in first.")} `, signInLink());
}

function signInLink() {
  const next = encodeURIComponent(location.pathname);
  return make("a", { href: `${byId("account").dataset.signIn}?next=${next}` }, gettext("Sign in"));
}

async function keepModel(model) {
  composer.sees = picker.sees;
  try {
    await current?.choose(model);
  } catch (error) {
    alarm(error);
  }
}

/** Lead staff from a conversation to its page in the admin. */
function pointAdmin() {
  const page = current && !current.isNew ? `${current.id}/change/` : "";
  byId("admin-link").href = adminList + page;
}

async function refreshList() {
  try {
    await live.readList();
  } catch (error) {
    alarm(error);
  }
}

async function introduce(patience) {
  const { user, guests, limits } = await again(() => ask("/api/session"), patience);
  heartbeatSeconds = limits?.heartbeat_seconds ?? heartbeatSeconds;
  composer.limits = limits ?? {};
  if (account.isAnother(user)) return location.reload(); // all that is shown is another person's
  if (user || !account.isKnown) drafting.meet(user);
  account.show({ user, guests });
  byId("admin-note").hidden = !user?.staff || !adminList;
  if (user) live.meet();
  if (user) await refreshList();
  else sidebar.showEmpty();
  return user;
}

async function copyLast() {
  const text = current?.lastText;
  if (text && (await copyText(text))) toast(gettext("The last reply is copied."));
}

function isPlainClick(event) {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-route]");
  if (!link || !isPlainClick(event)) return;
  event.preventDefault();
  go(new URL(link.href).pathname);
});
listen(
  {
    stop: () => current?.isRunning && current.stop(),
    create: () => go(address("/")),
    compose: () => composer.focus(),
    search: () => sidebar.openSearch(),
    editLast: () => current?.editLast() ?? false,
    copyLast,
    list: showShortcuts,
  },
  byId("message"),
);
byId("settings-open").addEventListener("click", changeSettings);
stayAboveKeyboard();
addEventListener("popstate", () => show(location.pathname));

async function offerModels() {
  const { models } = await again(() => ask("/api/models"), { attempts: Infinity });
  const chosen = current?.model || (picker.models.length && picker.value);
  picker.offer(models);
  if (chosen) picker.choose(chosen);
  composer.sees = picker.sees;
  for (const one of open.values()) one.transcript.redraw();
}

// The socket brings them, too, but not the end of one that passed while it was closed.
async function readAnnouncements() {
  try {
    const { announcements } = await ask("/api/announcements");
    if (announcements.length || byId("banners").childElementCount) showBanners(announcements);
  } catch {
    // With the next one.
  }
}

offerModels().catch(alarm);
readAnnouncements();
introduce({ attempts: Infinity }).then(resume).catch(alarm);
show(location.pathname);
invite();
