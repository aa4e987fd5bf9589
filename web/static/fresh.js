// Parts of a page that keep themselves up to date: every element with an id and data-fresh is taken anew from the server,
// when tickets have changed but at most every 15 s, and every 60 s anyhow. Where somebody is typing nothing is touched;
// focus and scrolling stay where they are.
(function () {
  "use strict";
  var AT_MOST = 15000, AT_LEAST = 60000, last = Date.now(), waiting = 0;

  function place(el) {
    // how to find the same link or button again
    return el.id ? "#" + CSS.escape(el.id) : el.getAttribute("href") ? 'a[href="' + CSS.escape(el.getAttribute("href")) + '"]' : null;
  }
  function swap(old, fresh) {
    if (old.innerHTML === fresh.innerHTML) return;
    var active = document.activeElement, inside = old.contains(active) && active !== old ? active : null;
    if (inside && /^(INPUT|TEXTAREA|SELECT)$/.test(inside.tagName)) return;
    var back = inside ? place(inside) : null, region = inside && inside.matches(".scroll");
    var scrolled = Array.prototype.map.call(old.querySelectorAll(".scroll"), function (el) { return [el.scrollLeft, el.scrollTop]; });
    old.innerHTML = fresh.innerHTML;
    old.querySelectorAll(".scroll").forEach(function (el, n) { if (scrolled[n]) { el.scrollLeft = scrolled[n][0]; el.scrollTop = scrolled[n][1]; } });
    var again = region ? old.querySelector(".scroll") : back && old.querySelector(back);
    if (again) again.focus({ preventScroll: true });
  }
  function refresh() {
    clearTimeout(waiting); waiting = 0; last = Date.now();
    if (document.hidden) return Promise.resolve();
    return fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" }).then(function (answer) {
      return answer.ok && !answer.redirected ? answer.text() : null;
    }).then(function (html) {
      if (!html) return;
      var page = new DOMParser().parseFromString(html, "text/html");
      document.querySelectorAll("[data-fresh][id]").forEach(function (old) {
        var fresh = page.getElementById(old.id);
        if (fresh) swap(old, fresh);
      });
    }).catch(function () { /* the next time will do */ });
  }
  function soon() {
    if (waiting) return;
    waiting = setTimeout(refresh, Math.max(0, last + AT_MOST - Date.now()));
  }

  document.addEventListener("DOMContentLoaded", function () {
    var live = window.desk && window.desk.live;
    if (live && live.on) live.on("tickets", soon);
    setInterval(function () { if (Date.now() - last >= AT_LEAST) refresh(); }, 5000);
    document.addEventListener("visibilitychange", function () { if (!document.hidden) soon(); });
    if (window.desk) window.desk.refresh = refresh;
  });
})();
