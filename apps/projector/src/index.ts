export { ProjectorModule } from './projector.module.js';
export { startProjector, type Projector, type ProjectorOptions } from './projector.js';
