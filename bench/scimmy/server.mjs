// scimmy-routers with maps in memory, for bench/scim_service.py and tests/journeys. Listens on a free port of the loopback interface
// and prints it. SCIM_ENTERPRISE=1 adds the enterprise extension to users.
// userName eq "x" is answered from a map. The library does not do that itself; this is the best that its user can get out of it.
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";
import {randomUUID} from "node:crypto";

const byName = new Map();
const lowered = (user) => user.userName.toLowerCase();

function sought(filter) {
    const found = filter?.length === 1 && Object.keys(filter[0]).length === 1 && (filter[0].userName ?? filter[0].username);
    return Array.isArray(found) && found[0] === "eq" ? String(found[1]).toLowerCase() : undefined;
}

function handlers({unique}) {
    const stored = new Map();
    return {
        egress: (resource) => {
            if (resource.id) return stored.get(resource.id) ?? (() => { throw new Error("no such resource"); })();
            const name = unique && sought(resource.filter);
            if (name !== undefined && name !== false) return byName.has(name) ? [byName.get(name)] : [];
            const all = [...stored.values()];
            return resource.filter ? resource.filter.match(all) : all;
        },
        ingress: (resource, instance) => {
            const now = new Date();
            const before = resource.id ? stored.get(resource.id) : undefined;
            const id = resource.id ?? randomUUID();
            const after = {...JSON.parse(JSON.stringify(instance)), id, meta: {created: before?.meta.created ?? now, lastModified: now}};
            if (unique) {
                const holder = byName.get(lowered(after));
                if (holder && holder.id !== id) throw new SCIMMY.Types.Error(409, "uniqueness", "userName is taken");
                if (before) byName.delete(lowered(before));
                byName.set(lowered(after), after);
            }
            stored.set(id, after);
            return after;
        },
        degress: (resource) => {
            const before = stored.get(resource.id);
            if (unique && before) byName.delete(lowered(before));
            stored.delete(resource.id);
        },
    };
}

if (process.env.SCIM_ENTERPRISE) SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);
SCIMMY.Resources.declare(SCIMMY.Resources.User, handlers({unique: true}));
SCIMMY.Resources.declare(SCIMMY.Resources.Group, handlers({unique: false}));

const app = express();
app.use("/scim", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${process.env.SCIM_TOKEN}`) throw new Error("wrong token");
        return "load";
    },
}));
const server = app.listen(0, "127.0.0.1", () => console.log(JSON.stringify({port: server.address().port})));
