/* Asks for the page again and again while something may change, and changes only what is different, so that focus, selection and place stay. */

const problem = 'This page could not be asked for again: it shows what was so before.';
let last = '';

async function refresh() {
  if (document.hidden) return;
  try {
    const reply = await fetch(location.href, { headers: { accept: 'text/html' }, redirect: 'error' });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    if (saidLast === problem) say('');
    if (text !== last) show(new DOMParser().parseFromString(text, 'text/html'));
    last = text;
  } catch {
    say(problem);
  }
}

let saidLast = '';

/** What is read aloud, too. @param {string} text */
function say(text) {
  const place = document.querySelector('#connection');
  if (place !== null && text !== saidLast) place.textContent = text;
  saidLast = text;
}

/** @param {Document} fresh */
function show(fresh) {
  const [before, after] = [stateIn(document), stateIn(fresh)];
  const [old, main] = [document.querySelector('main'), fresh.querySelector('main')];
  if (old !== null && main !== null) morph(old, main);
  document.title = fresh.title;
  document.body.dataset.refresh = fresh.body.dataset.refresh ?? '';
  // That something ended or waits, and not each step.
  if (after !== before) say(`Now: ${after}`);
}

/** @param {Document} page */
function stateIn(page) {
  return page.querySelector('.state .chip')?.textContent ?? '';
}

/**
 * Makes `old` like `fresh`. Elements that are of the same kind at the same place stay.
 *
 * @param {ChildNode} old
 * @param {ChildNode} fresh
 * @returns {void}
 */
function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (!(old instanceof Element) || !(fresh instanceof Element)) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return undefined;
  }
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  // What the reader has opened stays open.
  for (const name of old.getAttributeNames())
    if (!fresh.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
  const [here, there] = [[...old.childNodes], [...fresh.childNodes]];
  for (const [at, child] of there.entries()) {
    const place = here[at];
    if (place === undefined) old.append(child);
    else morph(place, child);
  }
  for (const child of here.slice(there.length)) child.remove();
  return undefined;
}

/** The next time after the interval of the page, and not while nobody looks at it. */
function later() {
  const seconds = Number(document.body.dataset.refresh || 0);
  if (seconds === 0) return;
  setTimeout(() => void refresh().then(later), seconds * 1_000);
}

later();
