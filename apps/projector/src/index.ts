// For the simulation.
export { ProjectionRun } from './projection-run.js';
export { startThreadedProjector } from './projector.js';
