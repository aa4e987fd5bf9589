// The queue: keys, choosing rows, doing a step for many, rows that change while they are looked at.
// Everything here is comfort: the page works without it. All words come from the server.
(function () {
  "use strict";

  document.addEventListener("DOMContentLoaded", function () {
    var form = document.getElementById("bulk");
    closeMenus();
    foldViews();
    if (!form) return;
    var one = function (selector) { return form.querySelector(selector); };
    var rows = function () { return Array.from(form.querySelectorAll("tr.r")); };
    var box = function (row) { return row.querySelector("input[type=checkbox]"); };
    var picked = function () { return rows().filter(function (row) { return box(row).checked; }); };
    var fill = function (words, values) { return words.replace(/\{(\w+)\}/g, function (_, name) { return values[name]; }); };
    var bar = one("[data-bulk]"), more = one("[data-bulk-more]"), every = one("[name=_all]"), step = one("[name=_step]");

    // ── the cursor ──
    var at = -1;
    function go(place) {
      var all = rows();
      if (!all.length) return;
      if (all[at]) all[at].classList.remove("on");
      at = Math.max(0, Math.min(all.length - 1, place));
      all[at].classList.add("on");
      all[at].querySelector("a[data-open]").focus({ preventScroll: true });
      all[at].scrollIntoView({ block: "nearest", behavior: "instant" });
    }
    function current() { return rows()[at]; }
    form.addEventListener("focusin", function (event) {
      var row = event.target.closest("tr.r"), all = rows();
      if (!row) return;
      if (all[at]) all[at].classList.remove("on");
      at = all.indexOf(row);
      row.classList.add("on");
    });
    window.desk.cursor = function () { return current() ? current().dataset.id : ""; };

    // ── choosing ──
    var last = null;
    form.addEventListener("click", function (event) {
      var row = event.target.closest("tr.r");
      if (!row || event.target !== box(row)) return;
      var all = rows(), here = all.indexOf(row), from = all.indexOf(last);
      if (event.shiftKey && from >= 0) all.slice(Math.min(from, here), Math.max(from, here) + 1).forEach(function (other) { box(other).checked = box(row).checked; });
      last = row;
    });
    one("[data-all]").addEventListener("change", function (event) { rows().forEach(function (row) { box(row).checked = event.target.checked; }); });
    one("[data-unpick]").addEventListener("click", function () {
      rows().forEach(function (row) { box(row).checked = false; });
      if (every) every.checked = false;
      told();
    });

    function count() { return every && every.checked ? "" : picked().length; }
    function told() {
      var n = picked().length, all = every && every.checked;
      bar.hidden = !n && !all;
      var words = one("[data-picked]");
      words.textContent = all ? "" : fill(words.dataset.words, { n: count() });
      one("[data-all]").checked = n > 0 && n === rows().length;
      offer(all);
      if (bar.hidden) more.replaceChildren();
      else if (step.value) preview();
    }
    form.addEventListener("change", function (event) { if (!event.target.closest("[data-bulk-more]")) told(); else preview(); });

    // Only steps that some chosen row can take.
    var steps = Array.from(step.querySelectorAll("option[data-from]"));
    function offer(all) {
      var states = new Set(picked().map(function (row) { return row.dataset.state; }));
      steps.forEach(function (option) {
        var fits = all || option.dataset.from.split(" ").some(function (state) { return states.has(state); });
        option.hidden = option.disabled = !fits;
        if (!fits && option.selected) { step.value = ""; more.replaceChildren(); }
      });
    }

    // ── what would come of it ──
    var asked = 0, waiting = 0;
    function preview() {
      clearTimeout(waiting);
      waiting = setTimeout(function () {
        var mine = ++asked;
        fetch("/bulk", { method: "POST", headers: { "HX-Request": "true" }, body: new URLSearchParams(new FormData(form)) })
          .then(function (answer) { return answer.ok ? answer.text() : ""; })
          .then(function (html) { if (mine === asked && html && !busy) show(html); })
          .catch(function () {});
      }, 150);
    }
    function show(html) {
      var focused = document.activeElement && more.contains(document.activeElement) ? document.activeElement.id : "";
      more.innerHTML = html;
      if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
    }
    one("[data-preview]").hidden = true;

    // ── doing it, a few at a time ──
    var busy = false, PORTION = 20;
    form.addEventListener("submit", function (event) {
      var pressed = event.submitter;
      if (!pressed || !pressed.hasAttribute("data-do")) return;
      event.preventDefault();
      if (busy) return;
      busy = true;
      pressed.disabled = true;
      var data = new FormData(form), tickets = data.getAll("_t"), progress = more.querySelector("[data-progress]");
      if (every && every.checked) { busy = false; pressed.disabled = false; form.action = "/bulk"; form.submit(); return; }
      var can = new Set(more.querySelector("[data-can]").dataset.can.trim().split(" "));
      var able = tickets.filter(function (ticket) { return can.has(ticket.split(".")[0]); });
      var done = [], failed = [];
      function portion(from) {
        progress.textContent = fill(progress.dataset.words, { n: from, all: able.length });
        if (from >= able.length) return finish();
        var part = new URLSearchParams();
        data.forEach(function (value, name) { if (name !== "_t") part.append(name, value); });
        able.slice(from, from + PORTION).forEach(function (ticket) { part.append("_t", ticket); });
        return fetch("/bulk/do", { method: "POST", headers: { "HX-Request": "true" }, body: part })
          .then(function (answer) { if (!answer.ok) throw new Error(answer.status); return answer.json(); })
          .then(function (said) {
            done = done.concat(said.done);
            failed = failed.concat(said.failed);
            return portion(from + PORTION);
          });
      }
      function finish() {
        progress.textContent = fill(progress.dataset.done, { done: done.length, failed: failed.length + tickets.length - able.length });
        failed.forEach(refuse);
        done.forEach(function (id) { var row = rowOf(id); if (row) box(row).checked = false; });
        pressed.remove();
        say(progress.textContent);
        return renew(done.concat(failed.map(function (one) { return one.id; })));
      }
      portion(0).catch(function () { progress.textContent = progress.dataset.broken; }).then(function () { busy = false; pressed.disabled = false; });
    });
    function rowOf(id) { return form.querySelector('tr.r[data-id="' + id + '"]'); }
    function refuse(one) {
      var row = rowOf(one.id);
      if (!row) return;
      reasons.set(String(one.id), one.reason);
    }
    var reasons = new Map();
    function say(words) { document.querySelector("[data-said]").textContent = words; }

    // ── rows that changed stay where they are ──
    var fresh = document.querySelector("[data-fresh]"), arrived = new Set();
    function renew(ids) {
      if (!ids.length) return Promise.resolve();
      var query = new URLSearchParams(location.search);
      query.delete("after");
      query.set("ids", ids.slice(0, 100).join(","));
      return fetch("/rows?" + query).then(function (answer) { return answer.ok ? answer.text() : ""; }).then(function (html) {
        var holder = document.createElement("template");
        holder.innerHTML = html;
        holder.content.querySelectorAll("tr.r").forEach(replace);
        window.desk.tick();
        welcome();
      }).catch(function () {});
    }
    function replace(row) {
      var old = rowOf(row.dataset.id);
      if (!old) {
        if (!row.classList.contains("gone")) arrived.add(row.dataset.id);
        return;
      }
      var chosen = box(old).checked, on = old.classList.contains("on"), focused = old.contains(document.activeElement) && document.activeElement;
      row.classList.add("changed");
      box(row).checked = chosen && !row.classList.contains("gone");
      if (on) row.classList.add("on");
      var reason = reasons.get(row.dataset.id);
      if (reason && chosen) {
        var line = document.createElement("span");
        line.className = "refused";
        line.textContent = reason;
        row.querySelector(".c-k").append(line);
      }
      old.replaceWith(row);
      if (focused) (focused.type === "checkbox" ? box(row) : row.querySelector("a[data-open]")).focus({ preventScroll: true });
    }
    function welcome() {
      if (!arrived.size) return;
      fresh.hidden = false;
      fresh.querySelector("span").textContent = fill(fresh.dataset.words, { n: arrived.size });
    }
    if (window.desk.live) {
      window.desk.live.on("tickets", function (changed) {
        var news = changed.filter(function (one) { var row = rowOf(one.id); return row ? Number(row.dataset.version) < one.version : !one.closed; });
        renew(news.map(function (one) { return one.id; }));
      });
      window.desk.live.on("reload", function () { renew(rows().map(function (row) { return row.dataset.id; })); });
    }

    // ── giving it to somebody ──
    var dialog = document.getElementById("assign");
    function assign() {
      if (!picked().length && current()) { box(current()).checked = true; told(); }
      if (picked().length) dialog.showModal();
    }
    dialog.querySelector("[data-close]").addEventListener("click", function () { dialog.close(); });
    dialog.querySelector("form").addEventListener("submit", function (event) {
      if (!event.submitter || event.submitter.value !== "assign") return;
      var part = new URLSearchParams({ _step: "assign", agent: document.getElementById("assign-to").value, _key: key() });
      var chosen = picked();
      chosen.forEach(function (row) { part.append("_t", box(row).value); });
      fetch("/bulk/do", { method: "POST", headers: { "HX-Request": "true" }, body: part })
        .then(function (answer) { return answer.json(); })
        .then(function (said) {
          said.failed.forEach(refuse);
          said.done.forEach(function (id) { box(rowOf(id)).checked = false; });
          told();
          return renew(said.done.concat(said.failed.map(function (one) { return one.id; })));
        });
    });
    function key() { return Array.from(crypto.getRandomValues(new Uint8Array(16)), function (byte) { return byte.toString(16).padStart(2, "0"); }).join(""); }

    // ── keys ──
    document.addEventListener("keydown", function (event) {
      var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== "checkbox";
      if (event.ctrlKey || event.metaKey || event.altKey || typing || "keysOff" in document.documentElement.dataset || document.querySelector("dialog[open]")) return;
      if (event.key === "j") go(at + 1);
      else if (event.key === "k") go(at < 0 ? 0 : at - 1);
      else if (event.key === "x" && current()) { box(current()).checked = !box(current()).checked; last = current(); told(); }
      else if (event.key === "a") { event.preventDefault(); assign(); }
      else if (event.key === "Enter" && current() && event.target.type === "checkbox") { event.preventDefault(); location.href = current().querySelector("a[data-open]").href; }
    });
    told();
  });

  // A menu closes when another is opened, on Escape, and on a click elsewhere.
  function closeMenus() {
    var menus = Array.from(document.querySelectorAll("details.menu"));
    menus.forEach(function (menu) { menu.addEventListener("toggle", function () { menu.classList.remove("edge"); if (menu.open && menu.querySelector("ul").getBoundingClientRect().right > document.documentElement.clientWidth - 8) menu.classList.add("edge"); if (menu.open) menus.forEach(function (other) { if (other !== menu) other.open = false; }); }); });
    document.addEventListener("click", function (event) { if (!event.target.closest("details.menu")) menus.forEach(function (menu) { menu.open = false; }); });
    document.addEventListener("keydown", function (event) {
      var open = menus.find(function (menu) { return menu.open; });
      if (event.key === "Escape" && open) { open.open = false; open.querySelector("summary").focus(); }
    });
  }

  // Whether the views are folded is kept for this browser.
  function foldViews() {
    var views = document.querySelector("details.views");
    try {
      if (localStorage.getItem("views") === "folded" && matchMedia("(min-width: 1000px)").matches) views.open = false;
      views.addEventListener("toggle", function () { localStorage.setItem("views", views.open ? "open" : "folded"); });
    } catch (_) { /* a browser that keeps nothing */ }
  }
})();
