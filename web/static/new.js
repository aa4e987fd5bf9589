// Opening a ticket: the order is looked up without leaving the page, and what earlier tickets tell is filled in where
// nothing was typed. Without this, the button 查订单 sends the form.
(function () {
  "use strict";
  document.addEventListener("DOMContentLoaded", function () {
    var form = document.getElementById("open"), button = form.querySelector("[name=_look]"), running = null, soon = 0;

    function look() {
      if (running) running.abort();
      running = new AbortController();
      var typed = new URLSearchParams(new FormData(form));
      typed.set("_look", "1");
      fetch(form.action, { method: "POST", body: typed, headers: { "HX-Request": "true" }, signal: running.signal })
        .then(function (answer) { return answer.ok ? answer.text() : ""; })
        .then(show, function () { /* overtaken by the next, or the network is gone: the page says so itself */ });
    }

    function show(html) {
      var told = new DOMParser().parseFromString(html, "text/html");
      ["known", "verdict"].forEach(function (id) {
        var part = told.getElementById(id);
        if (part) document.getElementById(id).replaceWith(part);
      });
      if (filled()) look();
    }

    // Whether anything was: then the conditions stand differently.
    function filled() {
      var any = false;
      document.querySelectorAll("#known data.fill").forEach(function (told) {
        var field = document.getElementById(told.dataset.for), over = told.dataset.over;
        if (field && field.type !== "checkbox" && (!field.value || field.value === over) && field.value !== told.value) {
          field.value = told.value;
          any = any || field.value === told.value;
          if (told.dataset.for === "f-policy") document.getElementById("f-platform").value = told.value;
        }
        told.remove();
      });
      return any;
    }

    button.type = "button";
    button.addEventListener("click", look);
    form.addEventListener("change", function () { clearTimeout(soon); soon = setTimeout(look, 150); });
    form.addEventListener("submit", function () { clearTimeout(soon); if (running) running.abort(); });
    var refusal = document.getElementById("refusal");
    if (refusal) refusal.focus();
  });
})();
