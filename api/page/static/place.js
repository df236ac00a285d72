// A reader who has scrolled stays where he is, whatever arrives above.

const MARKED_MILLISECONDS = 4000;
// Beneath the bar at the top.
const TOP = 56;

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
