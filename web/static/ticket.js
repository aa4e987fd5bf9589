// The page of a ticket: copying its number, keeping what was typed, saying what is missing while it is typed.
// All of it is comfort: the page works without.
(function () {
  "use strict";
  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("[data-copy]").forEach(function (button) {
      button.addEventListener("click", function () {
        if (!navigator.clipboard) return;
        navigator.clipboard.writeText(button.dataset.copy).then(function () { button.title = button.dataset.said; button.classList.add("said"); });
      });
    });

    var form = document.getElementById("do");
    var refusal = document.getElementById("refusal") || document.getElementById("clash-h");
    if (refusal) refusal.focus();
    // what was sent from here and taken is no draft any more
    var sent = sessionStorage.getItem("sent");
    if (sent && document.querySelector(".note.ok")) { sessionStorage.removeItem("draft|" + sent); sessionStorage.removeItem("sent"); }
    if (!form) return;

    var key = "draft|" + form.dataset.draft, said = document.querySelector("[data-draft-said]"), fresh = !refusal;
    function fields() { return Array.from(form.elements).filter(function (one) { return one.name && one.type !== "file" && !/^_(version|key)$/.test(one.name) && one.type !== "hidden"; }); }
    function typed() {
      var found = {};
      fields().forEach(function (one) {
        if (one.type === "checkbox" || one.type === "radio") { if (one.checked) (found[one.name] = found[one.name] || []).push(one.value); }
        else if (one.value) found[one.name] = [one.value];
      });
      return found;
    }
    var first = JSON.stringify(typed());
    function keep() {
      var now = JSON.stringify(typed());
      if (now === first && fresh) { sessionStorage.removeItem(key); return; }
      sessionStorage.setItem(key, now);
      if (said) said.textContent = form.dataset.kept + " " + new Date(window.desk.now()).toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit", timeZone: "Asia/Shanghai" });
    }
    function restore() {
      var kept = sessionStorage.getItem(key);
      if (!kept || !fresh) return;
      var values = JSON.parse(kept);
      fields().forEach(function (one) {
        var had = values[one.name] || [];
        if (one.type === "checkbox" || one.type === "radio") one.checked = had.indexOf(one.value) >= 0;
        else one.value = had[0] || "";
        if (had.length) { var along = one.closest("details"); if (along) along.open = true; }
      });
      if (said) said.textContent = form.dataset.restored;
    }

    var waiting, asked = 0;
    function ask() {
      if (!form.dataset.missing) return;
      var mine = ++asked, body = new URLSearchParams();
      new FormData(form).forEach(function (value, name) { if (typeof value === "string") body.append(name, value); });
      fetch(form.dataset.missing, { method: "POST", body: body, headers: { "HX-Request": "true" } }).then(function (answer) { return answer.ok ? answer.text() : ""; }).then(function (html) {
        if (!html || mine !== asked) return;
        var part = new DOMParser().parseFromString(html, "text/html");
        ["checks", "will", "lack"].forEach(function (id) {
          var there = document.getElementById(id), now = part.getElementById(id);
          if (there && now && there.innerHTML !== now.innerHTML) there.innerHTML = now.innerHTML;
        });
      }).catch(function () { /* offline: the server says it when the form is sent */ });
    }
    function changed() { keep(); clearTimeout(waiting); waiting = setTimeout(ask, 350); }
    form.addEventListener("input", changed);
    form.addEventListener("change", changed);
    form.addEventListener("submit", function (e) {
      if (form.dataset.sending) { e.preventDefault(); return; }
      form.dataset.sending = "yes";
      sessionStorage.setItem("sent", form.dataset.draft);
    });
    window.addEventListener("pageshow", function () { delete form.dataset.sending; });
    document.querySelectorAll("[data-discard]").forEach(function (link) { link.addEventListener("click", function () { sessionStorage.removeItem(key); }); });
    form.addEventListener("click", function (e) {
      var link = e.target.closest("a[data-opens]"), along = link && document.querySelector(link.getAttribute("href"));
      if (!along) return;
      e.preventDefault();
      along.open = true;
      var input = along.querySelector("textarea, input:not([type=hidden]), select");
      if (input) input.focus();
    });
    // an address that points at the form keeps the browser from focusing its first input by itself
    var begin = form.querySelector("[autofocus]");
    if (begin && fresh && location.hash === "#form") window.addEventListener("load", function () { setTimeout(function () { begin.focus({ preventScroll: true }); }); });
    restore();
    if (sessionStorage.getItem(key)) ask();
  });
})();
