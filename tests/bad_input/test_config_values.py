"""Keys and values of the configuration, as KEY VALUE pairs: key, value, words of the message."""

import pytest

import compat

ONE, ZERO, POSITIVE = "a whole number of at least 1", "a whole number of at least 0", "a finite number above 0"
NOT_NEGATIVE = "a finite number of at least 0"
CASES = [
    # unknown keys
    ("OPTIM.LRR", 1, "Did you mean OPTIM.LR?"),
    ("OPTIM", 1, "OPTIM is no key"),
    ("LR", 1, "LR is no key of the configuration"),
    ("optim.lr", 1, "Did you mean OPTIM.LR?"),
    ("OPTIM.LR.X", 1, "Did you mean OPTIM.LR?"),
    ("", 1, "is no key of the configuration"),
    ("TRAINER.COOP.NCTX", 4, "Did you mean TRAINER.COOP.N_CTX?"),
    ("DATALOADER.BATCH_SIZE", 4, "Did you mean DATALOADER.TEST.BATCH_SIZE?"),
    ("DATASET.SHOTS", 4, "Did you mean DATASET.NUM_SHOTS?"),
    ("TRAINER.SHIP.OPTIM.EPOCHS", 4, "Did you mean TRAINER.SHIP.OPTIM."),
    # wrong types
    ("OPTIM.MAX_EPOCH", "many", "OPTIM.MAX_EPOCH many"),
    ("OPTIM.MAX_EPOCH", 1.5, "Type mismatch"),
    ("OPTIM.MAX_EPOCH", True, "Type mismatch"),
    ("OPTIM.LR", "fast", "Type mismatch"),
    ("OPTIM.LR", None, "OPTIM.LR has no value"),
    ("OPTIM.NAME", 5, "Type mismatch"),
    ("DATASET.NUM_SHOTS", "four", "Type mismatch"),
    ("INPUT.SIZE", 224, "Type mismatch"),
    ("TRAINER.COOP.CSC", "yes", "Type mismatch"),
    ("DATASET.NAME", None, "DATASET.NAME has no value"),
    ("OPTIM.LR", "(" * 500, "OPTIM.LR ("),
    ("OPTIM.LR", "[" * 100_000, "OPTIM.LR ["),
    # sizes that are zero, negative, or larger than PyTorch can say
    ("DATALOADER.TEST.BATCH_SIZE", 2**63, "DATALOADER.TEST.BATCH_SIZE is 9223372036854775808, which is too large"),
    ("TRAINER.SHIP.LATENT_DIM", 2**64, "which is too large"),
    ("DATALOADER.TRAIN_X.BATCH_SIZE", 0, ONE),
    ("DATALOADER.TRAIN_X.BATCH_SIZE", -4, "DATALOADER.TRAIN_X.BATCH_SIZE is -4"),
    ("DATALOADER.TRAIN_U.BATCH_SIZE", 0, ONE),
    ("DATALOADER.TEST.BATCH_SIZE", 0, ONE),
    ("DATALOADER.NUM_WORKERS", -1, ZERO),
    ("DATALOADER.TRAIN_X.N_INS", 0, ONE),
    ("DATALOADER.TRAIN_X.N_DOMAIN", -1, ZERO),
    ("DATALOADER.K_TRANSFORMS", 2, "one view of an image at a time"),
    ("DATASET.NUM_SHOTS", 0, "-1 for all images"),
    ("DATASET.NUM_SHOTS", -2, "-1 for all images"),
    ("DATASET.CLASS_DRAW", -1, ZERO),
    ("OPTIM.MAX_EPOCH", 0, ONE),
    ("OPTIM.MAX_EPOCH", -1, ONE),
    ("OPTIM.WARMUP_EPOCH", -2, "-1 for none"),
    ("TRAIN.PRINT_FREQ", 0, ONE),
    ("TRAIN.CHECKPOINT_FREQ", -1, ZERO),
    ("SEED", -2, "SEED is -2"),
    ("SEED", 2**32, "from -1 to 4294967295"),
    ("INPUT.SIZE", "(0, 0)", "height and width in whole pixels"),
    ("INPUT.SIZE", "(224,)", "height and width in whole pixels"),
    ("INPUT.SIZE", "(224.0, 224.0)", "height and width in whole pixels"),
    ("INPUT.SIZE", "('a', 'b')", "height and width in whole pixels"),
    ("INPUT.SIZE", "(96, 96)", "takes images of 224 by 224"),
    ("INPUT.CUTOUT_N", 0, ONE),
    ("INPUT.CUTOUT_LEN", 0, ONE),
    ("INPUT.CROP_PADDING", -1, ZERO),
    ("INPUT.GB_K", 20, "an odd whole number"),
    ("TRAINER.COOP.N_CTX", 0, ONE),
    ("TRAINER.COOP.N_CTX", -16, ONE),
    ("TRAINER.COCOOP.N_CTX", 0, ONE),
    ("TRAINER.CLIPADAPTER.REDUCTION", 0, ONE),
    ("TRAINER.TIPADAPTER.VIEWS", 0, ONE),
    ("TRAINER.TIPADAPTER.SEARCH_STEP", "(0, 20)", "how many values of beta and alpha"),
    ("TRAINER.TIPADAPTER.SEARCH_STEP", "(200,)", "how many values of beta and alpha"),
    ("TRAINER.FEATURES.VIEWS", -1, ZERO),
    ("TRAINER.FEATURES.DEVICES", -1, ZERO),
    ("TRAINER.FEATURES.DEVICES", "('cuda:0', 'cuda:1')", "Type mismatch"),
    ("TRAINER.FEATURES.DEVICES", 10_000, "TRAINER.FEATURES.DEVICES is 10000, but there are"),
    ("TRAINER.SHIP.N_CTX", 0, ONE),
    ("TRAINER.SHIP.ENCODER_DIM", 0, ONE),
    ("TRAINER.SHIP.GENERATOR_DIM", -1, ONE),
    ("TRAINER.SHIP.LATENT_DIM", -1, ZERO),
    ("TRAINER.SHIP.SYNTHESIZED", -1, ZERO),
    ("TRAINER.SHIP.BATCH_SIZE", 0, ONE),
    ("TRAINER.SHIP.KL_ANNEAL", -1, ZERO),
    ("TRAINER.SHIP.OPTIM.MAX_EPOCH", 0, "TRAINER.SHIP.OPTIM.MAX_EPOCH is 0"),
    # numbers out of range
    ("OPTIM.LR", 0.0, POSITIVE),
    ("OPTIM.LR", -0.1, POSITIVE),
    ("OPTIM.LR", "1e999", "OPTIM.LR is inf"),
    ("OPTIM.LR", "nan", "Type mismatch"),
    ("OPTIM.WEIGHT_DECAY", -0.1, NOT_NEGATIVE),
    ("OPTIM.MOMENTUM", -0.9, NOT_NEGATIVE),
    ("OPTIM.GAMMA", 0.0, POSITIVE),
    ("OPTIM.ADAM_BETA1", 1.0, "below 1"),
    ("OPTIM.ADAM_BETA2", -0.1, "below 1"),
    ("OPTIM.RMSPROP_ALPHA", 1.5, "from 0 to 1"),
    ("OPTIM.WARMUP_CONS_LR", -1.0, NOT_NEGATIVE),
    ("TRAINER.SHIP.OPTIM.LR", 0.0, "TRAINER.SHIP.OPTIM.LR is 0.0"),
    ("TRAINER.SHIP.KL_WEIGHT", -1.0, NOT_NEGATIVE),
    ("TRAINER.SHIP.FREE_BITS", -1.0, NOT_NEGATIVE),
    ("TRAINER.SHIP.GENERATOR_SLOPE", -0.1, NOT_NEGATIVE),
    ("TRAINER.SHIP.ADAM_EPS", 0.0, POSITIVE),
    ("TRAINER.CLIPADAPTER.RATIO", 1.2, "from 0 to 1"),
    ("TRAINER.TIPADAPTER.ALPHA", -1.0, NOT_NEGATIVE),
    ("TRAINER.TIPADAPTER.BETA", "1e400", NOT_NEGATIVE),
    ("TRAINER.TIPADAPTER.SEARCH_SCALE", "(0, 3)", "the largest beta and alpha"),
    ("TRAINER.GZSL.CALIBRATION_COST", 101.0, "from 0 to 100"),
    ("INPUT.PIXEL_STD", "[0.2, 0.2, 0.0]", "three numbers above 0"),
    ("INPUT.PIXEL_MEAN", "[0.5]", "three numbers"),
    ("INPUT.RRCROP_SCALE", "(0.9, 0.1)", "the smaller first"),
    ("INPUT.COLORJITTER_H", 0.7, "from 0 to 0.5"),
    ("INPUT.RGS_P", 1.5, "from 0 to 1"),
    ("INPUT.GN_STD", -0.1, NOT_NEGATIVE),
    # names that are none
    ("OPTIM.NAME", "sdg", "Did you mean sgd?"),
    ("OPTIM.NAME", "adamm", "Did you mean adam?"),
    ("OPTIM.LR_SCHEDULER", "cosin", "Did you mean cosine?"),
    ("OPTIM.WARMUP_TYPE", "linaer", "Did you mean linear?"),
    ("TRAINER.SHIP.OPTIM.NAME", "AdamW", "Did you mean adamw?"),
    ("INPUT.INTERPOLATION", "bicubik", "Did you mean bicubic?"),
    ("INPUT.TRANSFORMS", "('random_flip', 'normalise')", "Did you mean normalize?"),
    ("INPUT.TRANSFORMS", "('random_flip', 3)", "a list of these: random_translation"),
    ("INPUT.NO_TRANSFORM", True, "images have to become tensors"),
    ("DATALOADER.TRAIN_X.SAMPLER", "RandomSample", "Did you mean RandomSampler?"),
    ("DATALOADER.TEST.SAMPLER", "RandomClassSampler", "one of SequentialSampler"),
    ("DATASET.NAME", "OxfordPet", "Did you mean OxfordPets?"),
    ("DATASET.SUBSAMPLE_CLASSES", "bse", "Did you mean base?"),
    ("TRAINER.NAME", "Coop", "Did you mean CoOp?"),
    ("TRAINER.COOP.PREC", "fp8", "fp16"),
    ("TRAINER.COOP.PREC", "FP16", "Did you mean fp16?"),
    ("TRAINER.COOP.CLASS_TOKEN_POSITION", "centre", "end, middle, front"),
    ("TRAINER.SHIP.CLASSIFIER", "Coop", "Did you mean CoOp?"),
    ("TRAINER.SHIP.SYNTHESIS", "gausian", "Did you mean gaussian?"),
    ("TEST.SPLIT", "train", "one of val, test"),
    ("TEST.FINAL_MODEL", "best", "Did you mean best_val?"),
    ("TEST.EVALUATOR", "Clasification", "Did you mean Classification?"),
    ("TRAIN.COUNT_ITER", "train_y", "Did you mean train_x?"),
    # what does not go together
    ("OPTIM.STAGED_LR", True, "no layers to be told apart"),
    ("OPTIM.STEPSIZE", "('ten',)", "epochs, such as (10, 20)"),
    ("OPTIM.STEPSIZE", "(-2,)", "epochs, such as (10, 20)"),
    ("TRAINER.COOP.N_CTX", 75, "longer than CLIP's window of 77 tokens"),
    ("TRAINER.COOP.CTX_INIT", "word " * 80, "longer than CLIP's window of 77 tokens"),
    ("MODEL.INIT_WEIGHTS", "no/such/file", "no/such/file cannot be read as a checkpoint"),
]


@pytest.mark.parametrize(
    ("key", "value", "words"), CASES, ids=[f"{key} {str(value)[:12]}" for key, value, _ in CASES]
)
def test_bad_value_is_refused(key, value, words, world):
    generic = ("TRAINER.COOP.CTX_INIT", "") if key == "TRAINER.COOP.N_CTX" else ()
    world.refused(words, *generic, key, value)


@pytest.mark.skipif(compat.ensure().name != "builtin", reason="Dassl has these parts")
@pytest.mark.parametrize(
    ("key", "value"), [("INPUT.TRANSFORMS", "('randaugment',)"), ("DATALOADER.TRAIN_X.SAMPLER", "SeqDomainSampler")]
)
def test_part_that_dassl_alone_has_is_refused_on_the_builtin_engine(key, value, world):
    world.refused("not part of the built-in engine", key, value)


@pytest.mark.parametrize(
    ("sampler", "words"),
    [("SeqDomainSampler",) * 2, ("RandomDomainSampler",) * 2, ("RandomClassSampler", "batch")],
)
def test_sampler_that_cannot_fill_a_batch_is_refused(sampler, words, world):
    batch = ("DATALOADER.TRAIN_X.BATCH_SIZE", 1000, "DATALOADER.TRAIN_X.N_INS", 2)
    world.refused(words, "DATALOADER.TRAIN_X.SAMPLER", sampler, *batch)


@pytest.mark.parametrize("pairs", [("OPTIM.LR",), ("OPTIM.LR", 0.1, "SEED")])
def test_pairs_that_do_not_pair_up_are_refused(pairs, world):
    world.refused("do not pair up", *pairs)


def test_nesterov_without_momentum_is_refused(world):
    world.refused("SGD_NESTEROV needs a MOMENTUM", "OPTIM.SGD_NESTEROV", True, "OPTIM.MOMENTUM", 0.0)


@pytest.mark.parametrize(
    ("words", "pairs"),
    [
        ("trains on the base classes or on all", ("DATASET.SUBSAMPLE_CLASSES", "new")),
        ("fits training images", ("TRAINER.SHIP.SYNTHESIS", "gaussian", "TRAINER.SHIP.SOURCE", "x")),
        ("there is no checkpoint in nowhere", ("TRAINER.SHIP.SOURCE", "nowhere")),
    ],
)
def test_what_ship_cannot_do_is_refused(words, pairs, world):
    world.method("SHIP", "vit_b16")
    world.refused(words, *pairs)


def test_reduction_beyond_the_features_is_refused(world):
    world.method("CLIPAdapter", "vit_b16")
    world.refused("REDUCTION is 1000; features have 64", "TRAINER.CLIPADAPTER.REDUCTION", 1000)
