// Elements without markup from data: a text is always a text, whatever it holds.

const SVG = "http://www.w3.org/2000/svg";

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
