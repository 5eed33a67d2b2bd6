/** The operations page of the admin, fetched anew every few seconds. Not while a confirmation is open or nobody looks. */

/** @param {Element} board @returns {boolean} */
export function isBusy(board) {
  return document.hidden || board.querySelector("details[open]") !== null;
}

/** @param {Element} board @param {Element} fresh what stands in its place from now on */
export function replaceBoard(board, fresh) {
  const focused = document.activeElement?.id;
  board.replaceChildren(...fresh.childNodes);
  if (focused) document.getElementById(focused)?.focus();
}

/** @param {Element} board */
async function refresh(board) {
  if (isBusy(board)) return;
  const response = await fetch(location.href, { credentials: "same-origin", cache: "no-store", redirect: "error" });
  if (!response.ok) throw new Error(String(response.status));
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.getElementById("operations");
  if (fresh && !isBusy(board)) replaceBoard(board, fresh);
}

const board = globalThis.document?.getElementById("operations");

async function turn() {
  try {
    await refresh(board);
    board.style.opacity = "";
  } catch {
    // What stands here is old: it is shown as such until the server answers again.
    board.style.opacity = "0.5";
  }
  setTimeout(turn, Number(board.dataset.refreshMs));
}

if (board) setTimeout(turn, Number(board.dataset.refreshMs));
