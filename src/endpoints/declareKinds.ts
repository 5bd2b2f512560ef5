import { createUnionType, Field, registerEnumType, type ClassType } from 'type-graphql';
import type { StorageKinds } from '../storage/storageKinds.js';
import { FileEndpointSettingsInput, FileEndpointSettingsPatch } from './fileEndpointInput.js';

/** The names of the declared kinds. */
export const FileEndpointKindEnum: Record<string, string> = {};
registerEnumType(FileEndpointKindEnum, { name: 'FileEndpointKind' });

const settingsTypes: ClassType[] = [];
export const FileEndpointSettingsUnion = createUnionType({
  name: 'FileEndpointSettings',
  types: () => settingsTypes,
});

/**
 * Adds the types of each kind to the API: a field of both inputs, a member of the union, a value of the enum. Call it
 * before a schema is built. type-graphql keeps one set of types for each process. So it throws an Error if a later
 * schema has other kinds than the first one. If the kinds are the same, it does nothing.
 */
export function declareKinds({ all }: StorageKinds): void {
  const names = all.map(({ name }) => name).join(', ');
  const declared = Object.keys(FileEndpointKindEnum).join(', ');
  if (declared === names) return;
  if (declared !== '') throw new Error(`This process has a schema with the kinds ${declared}, not ${names}.`);
  for (const { name, field, types } of all) {
    FileEndpointKindEnum[name] = name;
    settingsTypes.push(types.settings);
    const optional = { nullable: true };
    Field(() => types.input, optional)(FileEndpointSettingsInput.prototype, field);
    Field(() => types.patch, optional)(FileEndpointSettingsPatch.prototype, field);
  }
}
