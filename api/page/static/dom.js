// Elements without markup from data: a text is always a text, whatever it holds.

const SVG = "http://www.w3.org/2000/svg";
const MARKED_MILLISECONDS = 4000;
// Beneath the bar at the top.
const TOP = 56;

/** Returns an element with attributes, listeners (`onclick`) and children, which are elements or texts. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Returns an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

/** Gives an element attributes and listeners; false, null and undefined take an attribute away. */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), value);
    } else if (value === false || value === null || value === undefined) {
      element.removeAttribute(name);
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
}

/** Writes a text only if it is another: what stays the same is not announced and keeps its selection. */
export function write(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** Returns the element of an id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Returns the elements within a place that have a `data-part`, by that name. */
export function partsOf(place) {
  return Object.fromEntries(
    [...place.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]),
  );
}

/** Returns a copy of the element in a template. */
export function copyOf(template) {
  return byId(template).content.firstElementChild.cloneNode(true);
}

/**
 * Brings the children of an element into the order of the items, and makes, updates and removes as needed.
 *
 * An element that stays is the same element, so that it keeps the focus and what the reader has selected.
 */
export function reconcile(parent, items, keyOf, make, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let element = before.get(key);
    before.delete(key);
    if (element === undefined) {
      element = make(item);
      element.dataset.key = key;
    }
    update(element, item);
    if (element === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(element, place);
    }
  }
  for (const gone of before.values()) {
    gone.remove();
  }
  // An element that is moved loses the focus.
  if (focused?.isConnected && focused !== document.activeElement) {
    focused.focus({ preventScroll: true });
  }
}

/** Shows items as the rows of a table, by their keys; `textsOf(item)` returns the texts of the cells, the head first. */
export function fillTable(body, items, keyOf, textsOf) {
  const cell = (_, place) => h(place ? "td" : "th", { scope: place ? null : "row", dir: "auto" });
  reconcile(
    body,
    items,
    keyOf,
    (item) => h("tr", {}, ...textsOf(item).map(cell)),
    (row, item) => {
      for (const [place, text] of textsOf(item).entries()) {
        write(row.cells[place], text);
      }
    },
  );
}

/**
 * Makes a change, and scrolls so that what the reader looks at stays at its height.
 *
 * The first element in sight of which `stays(element)` holds is what the reader looks at. At the beginning of the
 * page nobody has scrolled into the elements yet, and what is new is welcome there.
 */
export function keepPlace(scroller, elements, stays, change) {
  const isPage = scroller === document.scrollingElement;
  const top = isPage ? TOP : scroller.getBoundingClientRect().top;
  const hasScrolled = !isPage || (elements[0]?.getBoundingClientRect().top ?? top) < top;
  const isInSight = (one) => one.getBoundingClientRect().bottom > top;
  const anchor = hasScrolled && elements.find((one) => stays(one) && isInSight(one));
  const before = anchor ? anchor.getBoundingClientRect().top : 0;
  change();
  if (anchor?.isConnected) {
    scroller.scrollTop += anchor.getBoundingClientRect().top - before;
  }
}

/** Marks elements as changed for a while. */
export function mark(elements) {
  for (const element of elements) {
    element.classList.remove("changed");
    // Whatever it was, the animation begins again.
    void element.offsetWidth;
    element.classList.add("changed");
    setTimeout(() => element.classList.remove("changed"), MARKED_MILLISECONDS);
  }
}
