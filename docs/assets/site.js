// The keyboard, too, can scroll tables and code that are wider than their place.
function reachWide() {
  for (const wide of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code")) {
    if (wide.scrollWidth > wide.clientWidth) wide.setAttribute("tabindex", "0");
    else wide.removeAttribute("tabindex");
  }
}
window.addEventListener("load", reachWide);
window.addEventListener("resize", reachWide);
