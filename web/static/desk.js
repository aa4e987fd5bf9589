// Everything here is comfort: the pages work without it.
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("scripted");

  // Theme: the server writes what was chosen; "auto" follows the system.
  if (root.dataset.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches) root.dataset.bsTheme = "dark";

  // Clocks: the server says what time it is; the browser's own clock is never trusted.
  var serverNow = Date.parse(root.dataset.now), loaded = performance.now(), en = root.lang === "en";
  function span(ms) {
    var m = Math.floor(Math.abs(ms) / 60000), d = Math.floor(m / 1440), h = Math.floor((m % 1440) / 60), i = m % 60;
    if (d === 1 && !h || d === 2 && !h) return (d * 24) + (en ? " h" : " 小时");
    if (d) return en ? d + " d" + (h ? " " + h + " h" : "") : d + " 天" + (h ? " " + h + " 小时" : "");
    if (h) return en ? h + " h" + (i ? " " + i + " min" : "") : h + " 小时" + (i ? " " + i + " 分" : "");
    return en ? i + " min" : i + " 分";
  }
  function tick() {
    var now = serverNow + performance.now() - loaded;
    document.querySelectorAll("[data-due]").forEach(function (el) {
      var left = Date.parse(el.dataset.due) - now;
      el.textContent = en ? (left < 0 ? "Overdue " + span(left) : span(left) + " left") : (left < 0 ? "逾期 " : "剩 ") + span(left);
    });
  }
  // what other scripts use: the server's time in ms, and the clocks drawn anew
  window.desk = { now: function () { return serverNow + performance.now() - loaded; }, tick: tick, english: en };

  document.addEventListener("DOMContentLoaded", function () {
    if (serverNow) setInterval(tick, 30000);

    document.querySelectorAll("[data-theme-toggle]").forEach(function (b) {
      b.addEventListener("click", function () {
        root.dataset.bsTheme = root.dataset.bsTheme === "dark" ? "light" : "dark";
        document.cookie = "theme=" + root.dataset.bsTheme + ";path=/;max-age=31536000;samesite=lax";
      });
    });

    var keys = document.getElementById("keys"), g = 0;
    document.querySelectorAll("[data-keys]").forEach(function (b) { b.addEventListener("click", function () { keys.showModal(); }); });

    // Single keys: a page gives an element data-key="w", a room data-go="s" (after g). Off inside fields, and where the
    // person switched them off.
    document.addEventListener("keydown", function (e) {
      var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) && e.target.type !== "checkbox" || e.target.isContentEditable;
      if (e.ctrlKey || e.metaKey || e.altKey || typing || "keysOff" in root.dataset || document.querySelector("dialog[open]")) return;
      if (g && Date.now() - g < 900) {
        g = 0;
        var room = document.querySelector('[data-go="' + CSS.escape(e.key) + '"]');
        if (room) { e.preventDefault(); location.href = room.href; }
        return;
      }
      if (e.key === "g") { g = Date.now(); return; }
      if (e.key === "?") { keys.showModal(); return; }
      if (e.key === "/") { e.preventDefault(); document.querySelector(".find input").focus(); return; }
      var hit = document.querySelector('[data-key="' + CSS.escape(e.key) + '"]');
      if (hit) { e.preventDefault(); hit.focus(); hit.click(); }
    });
  });
})();
