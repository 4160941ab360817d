// The cards of a run: edit and watch the score, ask why, compare, note for the next round.
// Runs once in Gradio's HTML component, with `element`, `props`, `server` and `watch` at hand. Every piece of HTML
// comes from the server's templates, which escape; what people typed goes through textContent and value only.
const live = element.querySelector('.lc-live');
const bar = element.querySelector('.lc-comparebar');
const dialog = element.querySelector('dialog');
const KEY = 'lcbm-run';
const PAUSE = 250; // milliseconds of rest after a key before a text is scored
const MOST = 3;
const STATES = ['lc-editing', 'lc-explained', 'lc-vetoed']; // what the page knows of a card and the server does not
const HINT = 'Type, and the score follows. Esc closes.';
const drafts = new Map(); // candidate id -> {text, timer, asked, busy}
const picked = new Set();
let ticket = null; // of the run whose cards these are

const part = (card, name) => card.querySelector(`[data-part="${name}"]`);
const button = (card, name) => card.querySelector(`[data-do="${name}"]`);
const cardOf = (id) => live.querySelector(`.lc-card[data-id="${CSS.escape(id)}"]`);
const textOf = (card) => drafts.get(card.dataset.id)?.text ?? card.dataset.text;

async function ask(message) {
  const lost = { error: 'The app cannot be reached. Your words are kept here; try again in a moment.' };
  try {
    return (await server.desk({ ticket, ...message })) ?? lost; // Gradio answers a broken connection with nothing
  } catch {
    return lost;
  }
}

// Drawing ---------------------------------------------------------------------------------------------------------

function draw() {
  const active = live.contains(document.activeElement) ? document.activeElement : null;
  const caret = active?.matches('textarea') ? [active.selectionStart, active.selectionEnd] : null;
  const fresh = document.createElement('template');
  fresh.innerHTML = props.value || '';
  const now = fresh.content.querySelector('[data-ticket]')?.dataset.ticket ?? null;
  if (now !== ticket) {
    drafts.clear();
    picked.clear();
    ticket = now;
    if (ticket) sessionStorage.setItem(KEY, ticket);
  } else {
    keepWhatIsUsed(fresh.content);
  }
  live.replaceChildren(fresh.content);
  if (active?.isConnected && active !== document.activeElement) {
    active.focus({ preventScroll: true });
    if (caret) active.setSelectionRange(...caret);
  }
  for (const id of [...picked]) if (!cardOf(id)) picked.delete(id);
  showPicked();
}

// A card that somebody works on stays the very same element, so that no letter and no caret is lost.
function keepWhatIsUsed(content) {
  for (const old of live.querySelectorAll('.lc-card[data-used]')) {
    const twin = content.querySelector(`.lc-card[data-id="${CSS.escape(old.dataset.id)}"]`);
    if (!twin) continue;
    const state = STATES.filter((name) => old.classList.contains(name));
    old.className = [twin.className, ...state].join(' ');
    part(old, 'place').replaceWith(part(twin, 'place'));
    for (const named of ['pick', 'copy']) { // their names for screen readers hold the rank
      button(old, named)?.setAttribute('aria-label', button(twin, named)?.getAttribute('aria-label') ?? '');
    }
    twin.replaceWith(old);
    if (old.matches('.lc-editing')) old.closest('details')?.setAttribute('open', '');
  }
  for (const old of live.querySelectorAll('details[data-key][open]')) {
    content.querySelector(`details[data-key="${old.dataset.key}"]`)?.setAttribute('open', '');
  }
}

// Screen readers hear every score; a failure stands there for everybody.
function say(card, words, failed = false) {
  const place = part(card, 'edit');
  const line = place.querySelector('.lc-said');
  if (!line) return;
  line.textContent = words;
  const hint = place.querySelector('.lc-hint');
  hint.textContent = failed ? words : HINT;
  hint.classList.toggle('lc-failed', failed);
}

// Editing ---------------------------------------------------------------------------------------------------------

function openEditor(card) {
  const place = part(card, 'edit');
  card.dataset.used = '';
  if (!place.firstChild) {
    const made = element.querySelector('template.lc-editor').content.cloneNode(true);
    place.append(made);
    const box = place.querySelector('textarea');
    box.value = textOf(card);
    box.setAttribute('aria-label', `Your wording instead of: ${card.dataset.text}`);
    drafts.set(card.dataset.id, { text: box.value, timer: 0, asked: 0, busy: false });
  }
  card.classList.add('lc-editing');
  closeWhy(card);
  place.hidden = false;
  button(card, 'edit').setAttribute('aria-expanded', 'true');
  const box = place.querySelector('textarea');
  grow(box);
  box.focus();
}

function closeEditor(card) {
  part(card, 'edit').hidden = true;
  card.classList.remove('lc-editing');
  card.querySelector('.lc-draft').textContent = textOf(card);
  button(card, 'edit').setAttribute('aria-expanded', 'false');
  button(card, 'edit').focus();
}

function undo(card) {
  const draft = drafts.get(card.dataset.id);
  const box = part(card, 'edit').querySelector('textarea');
  box.value = card.dataset.text;
  typed(card, box);
  if (draft) draft.text = box.value;
  box.focus();
}

function grow(box) {
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight + 2}px`;
}

function typed(card, box) {
  const draft = drafts.get(card.dataset.id);
  draft.text = box.value;
  grow(box);
  clearTimeout(draft.timer);
  draft.timer = setTimeout(() => score(card), PAUSE);
}

// One question at a time for each card: the last wording wins, and a slow answer never overwrites a newer one.
async function score(card) {
  const draft = drafts.get(card.dataset.id);
  if (draft.busy) return;
  draft.busy = true;
  const text = draft.text;
  part(card, 'score').classList.add('lc-stale');
  say(card, 'Scoring...');
  const answer = await ask({ action: 'score', id: card.dataset.id, text });
  draft.busy = false;
  if (text !== draft.text) {
    score(card);
    return;
  }
  if (answer.error) say(card, answer.error, true);
  else {
    part(card, 'score').innerHTML = answer.html;
    part(card, 'score').classList.remove('lc-stale');
    say(card, answer.said);
  }
  if (live.querySelector('[data-approval]')) mark(card, 'edit'); // the original's own wording counts too
}

// Why -------------------------------------------------------------------------------------------------------------

async function openWhy(card) {
  card.dataset.used = '';
  const place = part(card, 'why');
  const text = textOf(card);
  place.hidden = false;
  place.setAttribute('aria-busy', 'true');
  place.replaceChildren(element.querySelector('template.lc-wait').content.cloneNode(true));
  button(card, 'why').setAttribute('aria-expanded', 'true');
  const answer = await ask({ action: 'why', id: card.dataset.id, text });
  place.removeAttribute('aria-busy');
  if (place.hidden || text !== textOf(card)) return;
  if (answer.error) {
    place.textContent = answer.error;
    return;
  }
  place.innerHTML = answer.html;
  card.classList.add('lc-explained');
}

function closeWhy(card) {
  part(card, 'why').hidden = true;
  card.classList.remove('lc-explained');
  button(card, 'why').setAttribute('aria-expanded', 'false');
}

// Comparing -------------------------------------------------------------------------------------------------------

function showPicked() {
  for (const box of live.querySelectorAll('[data-do="pick"]')) {
    const id = box.closest('.lc-card').dataset.id;
    box.checked = picked.has(id);
    box.disabled = !box.checked && picked.size >= MOST;
  }
  bar.hidden = picked.size === 0;
  bar.querySelector('[data-do="compare"]').disabled = picked.size < 2;
  bar.querySelector('.lc-picked').textContent =
    picked.size < 2 ? 'Tick one or two more to compare' : `${picked.size} drafts picked`;
}

async function compare() {
  const chosen = [...picked].map(cardOf).filter(Boolean);
  const body = dialog.querySelector('.lc-dialog-body');
  body.replaceChildren(element.querySelector('template.lc-wait').content.cloneNode(true));
  dialog.showModal();
  const answer = await ask({
    action: 'compare',
    drafts: chosen.map((card) => ({ id: card.dataset.id, text: textOf(card) })),
  });
  if (answer.error) body.textContent = answer.error;
  else body.innerHTML = answer.html;
}

// Notes for the next round ----------------------------------------------------------------------------------------

async function mark(card, kind, more = {}) {
  card.dataset.used = '';
  const message = { action: 'mark', kind, id: card.dataset.id, ...more };
  if (kind === 'edit') message.text = textOf(card);
  const answer = await ask(message);
  if (answer.error) {
    say(card, answer.error, true);
    return;
  }
  button(card, 'keep')?.setAttribute('aria-pressed', String(answer.kept));
  button(card, 'veto')?.setAttribute('aria-pressed', String(answer.vetoed));
  card.classList.toggle('lc-vetoed', answer.vetoed);
}

function toggleComment(card) {
  const place = part(card, 'comment');
  card.dataset.used = '';
  if (!place.firstChild) {
    place.append(element.querySelector('template.lc-comment').content.cloneNode(true));
    place.querySelector('textarea').addEventListener('change', (event) => {
      mark(card, 'comment', { words: event.target.value });
    });
  }
  place.hidden = !place.hidden;
  button(card, 'comment').setAttribute('aria-expanded', String(!place.hidden));
  if (!place.hidden) place.querySelector('textarea').focus();
}

// Hands -----------------------------------------------------------------------------------------------------------

function copy(card, pressed) {
  navigator.clipboard.writeText(textOf(card)).then(
    () => { pressed.textContent = 'Copied'; },
    () => { pressed.textContent = 'Select it by hand'; });
  setTimeout(() => { pressed.textContent = 'Copy'; }, 1600);
}

function useAsDraft(card) {
  const box = document.querySelector('#f-draft textarea');
  box.value = textOf(card);
  box.dispatchEvent(new Event('input', { bubbles: true }));
  box.scrollIntoView({ block: 'center', behavior: 'smooth' });
  box.focus({ preventScroll: true });
}

const hands = {
  edit: (card) => (part(card, 'edit').hidden ? openEditor(card) : closeEditor(card)),
  done: (card) => closeEditor(card),
  undo: (card) => undo(card),
  why: (card) => (part(card, 'why').hidden ? openWhy(card) : closeWhy(card)),
  copy,
  draft: (card) => useAsDraft(card),
  keep: (card, pressed) => mark(card, 'keep', { on: pressed.getAttribute('aria-pressed') !== 'true' }),
  veto: (card, pressed) => mark(card, 'veto', { on: pressed.getAttribute('aria-pressed') !== 'true' }),
  comment: (card) => toggleComment(card),
};

element.addEventListener('click', (event) => {
  const pressed = event.target.closest('[data-do]');
  if (!pressed || pressed.disabled) return;
  const card = pressed.closest('.lc-card');
  const what = pressed.dataset.do;
  if (what === 'compare') compare();
  else if (what === 'unpick') { picked.clear(); showPicked(); }
  else if (what === 'close') dialog.close();
  else if (card && hands[what]) hands[what](card, pressed);
});
element.addEventListener('change', (event) => {
  if (event.target.dataset.do !== 'pick') return;
  const { id } = event.target.closest('.lc-card').dataset;
  if (event.target.checked) picked.add(id); else picked.delete(id);
  showPicked();
});
element.addEventListener('input', (event) => {
  if (event.target.matches('.lc-edit-box')) typed(event.target.closest('.lc-card'), event.target);
});
element.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && event.target.matches('.lc-edit-box')) closeEditor(event.target.closest('.lc-card'));
});
dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });

watch('value', draw);
draw();
