// Names that generated code puts into one namespace: types of schemas, parameters and responses, Go's constructors, constants.
const TYPES = ["schemas", "parameters", "responses", "requestBodies"];

const plain = (name) => String(name).replace(/[^A-Za-z0-9]/g, "").toLowerCase();

/** Every name of a type with its place; Go's constructor of the schema `Track` is `NewTrack`. */
const typesOf = (components) =>
  TYPES.flatMap((section) =>
    Object.keys(components[section] ?? {}).flatMap((name) => {
      const own = [name, ["components", section, name]];
      return section === "schemas" ? [own, [`New${name}`, own[1]]] : [own];
    }),
  );

/** Every constant of the named enumerations with its place. */
const constantsOf = (components) =>
  Object.entries(components.schemas ?? {}).flatMap(([name, schema]) =>
    (schema.enum ?? []).map((value, i) => [schema["x-enum-varnames"]?.[i] ?? value, ["components", "schemas", name, "enum", i]]),
  );

/** Enumerations whose constants some language could not have: one name for each value, in camel case. */
const misnamed = (components) =>
  Object.entries(components.schemas ?? {})
    .filter(([, schema]) => schema["x-enum-varnames"])
    .filter(([, schema]) => {
      const names = schema["x-enum-varnames"];
      return names.length !== schema.enum?.length || !names.every((name) => /^(?:[A-Z][a-z0-9]+)+$/.test(name));
    })
    .map(([name]) => ({
      message: `x-enum-varnames of ${name} needs one name for each value, in camel case such as ClientErrorType`,
      path: ["components", "schemas", name, "x-enum-varnames"],
    }));

const repeated = (named, advice) => {
  const first = new Map();
  return named.flatMap(([name, path]) => {
    const other = first.get(plain(name));
    if (!other) first.set(plain(name), path.join("/"));
    return other ? [{ message: `${name} is also the name that ${other} has in generated code; ${advice}`, path }] : [];
  });
};

export default ({ components = {} }) => [
  ...repeated(typesOf(components), "give it another one"),
  ...repeated(constantsOf(components), "name the constants with x-enum-varnames"),
  ...misnamed(components),
];
