import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';

/** A field of a message, as far as encoding has to know it. */
export interface Field {
  readonly name: string;
  readonly repeated: boolean;
  /** `TYPE_UINT32`, `TYPE_MESSAGE` and so on, as protobuf's descriptor.proto names them. */
  readonly type: string;
  /** Full name of the message or enumeration that the field holds. */
  readonly of: string;
}

/** Messages and enumerations of one API, by full name. */
export interface Schema {
  readonly definition: PackageDefinition;
  readonly messages: ReadonlyMap<string, ReadonlyMap<string, Field>>;
  readonly enums: ReadonlyMap<string, ReadonlySet<string>>;
}

interface Descriptor {
  readonly name: string;
  readonly field?: readonly { name: string; label: string; type: string; typeName: string }[];
  readonly nestedType?: readonly Descriptor[];
  readonly enumType?: readonly EnumDescriptor[];
}

interface EnumDescriptor {
  readonly name: string;
  readonly value: readonly { name: string }[];
}

/** Reads the .proto files in `folder` below proto/, of the given package. @throws Error if they are broken */
export function loadSchema(folder: string, packageName: string): Schema {
  const directory = fileURLToPath(new URL(`../../../proto/${folder}`, import.meta.url));
  const definition = loadSync(['gobgp.proto', 'attribute.proto'], {
    includeDirs: [directory],
    keepCase: true,
    longs: Number,
    enums: String,
    arrays: true,
    json: true,
  });
  const raw = new Map<string, Descriptor>();
  const enums = new Map<string, ReadonlySet<string>>();
  const addEnum = (scope: string, { name, value }: EnumDescriptor) =>
    enums.set(`${scope}.${name}`, new Set(value.map((one) => one.name)));
  const add = (scope: string, descriptor: Descriptor) => {
    const full = `${scope}.${descriptor.name}`;
    raw.set(full, descriptor);
    for (const nested of descriptor.nestedType ?? []) add(full, nested);
    for (const one of descriptor.enumType ?? []) addEnum(full, one);
  };
  for (const [full, entry] of Object.entries(definition)) {
    if (!full.startsWith(`${packageName}.`) || !('format' in entry)) continue;
    const { type } = entry as MessageTypeDefinition<object, object>;
    if (entry.format === 'Protocol Buffer 3 EnumDescriptorProto') {
      addEnum(packageName, type as unknown as EnumDescriptor);
    } else add(packageName, type as unknown as Descriptor);
  }
  const messages = new Map<string, ReadonlyMap<string, Field>>();
  for (const [full, descriptor] of raw) {
    const fields = (descriptor.field ?? []).map(({ name, label, type, typeName }) => {
      const of = resolve(full, typeName, (candidate) => raw.has(candidate) || enums.has(candidate));
      return { name, repeated: label === 'LABEL_REPEATED', type, of };
    });
    messages.set(full, new Map(fields.map((field) => [field.name, field])));
  }
  return { definition, messages, enums };
}

/** The full name of a type that is named relative to `scope`, innermost first. */
function resolve(scope: string, name: string, known: (full: string) => boolean): string {
  for (let at = scope; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    if (known(`${at}.${name}`)) return `${at}.${name}`;
  }
  return name;
}
