package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"cosmossdk.io/depinject"
	"cosmossdk.io/log/v2"
	sdkmath "cosmossdk.io/math"
	dbm "github.com/cosmos/cosmos-db"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/baseapp/blockexec"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdkruntime "github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/server"
	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil/network"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsign "github.com/cosmos/cosmos-sdk/x/auth/signing"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// cosmosParts are what the SDK's dependency injection builds.
type cosmosParts struct {
	builder *sdkruntime.AppBuilder
	tx      client.TxConfig
	codec   codec.Codec
}

func cosmosBuild() (cosmosParts, error) {
	var p cosmosParts
	err := depinject.Inject(depinject.Configs(network.MinimumAppConfig(), depinject.Supply(log.NewNopLogger())),
		&p.builder, &p.tx, &p.codec)
	return p, err
}

// newCosmos is the application of one validator: auth, bank, staking, genutil, consensus and tx over IAVL on
// goleveldb, as the SDK builds it.
func newCosmos(system, dir string) (abcitypes.Application, error) {
	p, err := cosmosBuild()
	if err != nil {
		return nil, err
	}
	db, err := dbm.NewDB("application", dbm.GoLevelDBBackend, dir)
	if err != nil {
		return nil, err
	}
	options := []func(*baseapp.BaseApp){baseapp.SetChainID(chainID), baseapp.SetMinGasPrices("0stake")}
	if system != "cosmos" {
		options = append(options, baseapp.SetOptimisticExecution(), baseapp.SetIAVLCacheSize(1_000_000))
	}
	app := p.builder.Build(db, options...)
	if system == "cosmos-stm" {
		var stores []storetypes.StoreKey
		for _, key := range app.GetStoreKeys() {
			stores = append(stores, key)
		}
		blockexec.Apply(app.BaseApp, simtestutil.AppOptionsMap{server.FlagBlockExecutor: serverconfig.BlockExecutorBlockSTM},
			stores, p.tx.TxDecoder(), func(storetypes.MultiStore) string { return sdk.DefaultBondDenom })
	}
	if err := app.Load(true); err != nil {
		return nil, err
	}
	return server.NewCometABCIWrapper(app), nil
}

// cosmosAccounts is how many accounts pay each other; each has at most one transaction under way, because
// the SDK wants them in sequence.
const cosmosAccounts = 5000

func cosmosKey(i int) *secp256k1.PrivKey {
	return secp256k1.GenPrivKeyFromSecret([]byte(fmt.Sprintf("bench-peers %d", i)))
}

// cosmosGenesis funds the accounts and bonds the validators.
func cosmosGenesis(keys []*secp256k1.PrivKey) func([]cmttypes.GenesisValidator) ([]byte, error) {
	return func(validators []cmttypes.GenesisValidator) ([]byte, error) {
		p, err := cosmosBuild()
		if err != nil {
			return nil, err
		}
		state := p.builder.DefaultGenesis()
		var accounts []authtypes.GenesisAccount
		var balances []banktypes.Balance
		each := sdk.NewCoins(sdk.NewInt64Coin(sdk.DefaultBondDenom, 1_000_000_000))
		supply := sdk.NewCoins()
		for i, key := range keys {
			address := sdk.AccAddress(key.PubKey().Address())
			accounts = append(accounts, authtypes.NewBaseAccount(address, nil, uint64(i), 0))
			balances = append(balances, banktypes.Balance{Address: address.String(), Coins: each})
			supply = supply.Add(each...)
		}
		bonded := sdk.NewCoins(sdk.NewCoin(sdk.DefaultBondDenom, sdk.DefaultPowerReduction.MulRaw(int64(len(validators)))))
		balances = append(balances, banktypes.Balance{
			Address: authtypes.NewModuleAddress(stakingtypes.BondedPoolName).String(), Coins: bonded,
		})
		supply = supply.Add(bonded...)
		staking, err := cosmosStaking(validators, accounts[0].GetAddress())
		if err != nil {
			return nil, err
		}
		state[authtypes.ModuleName] = p.codec.MustMarshalJSON(authtypes.NewGenesisState(authtypes.DefaultParams(), accounts))
		state[banktypes.ModuleName] = p.codec.MustMarshalJSON(banktypes.NewGenesisState(banktypes.DefaultParams(), balances, supply,
			[]banktypes.Metadata{}, []banktypes.SendEnabled{}))
		state[stakingtypes.ModuleName] = p.codec.MustMarshalJSON(staking)
		return json.Marshal(state)
	}
}

func cosmosStaking(validators []cmttypes.GenesisValidator, delegator sdk.AccAddress) (*stakingtypes.GenesisState, error) {
	var bonded []stakingtypes.Validator
	var delegations []stakingtypes.Delegation
	for _, v := range validators {
		key, err := cryptocodec.FromCmtPubKeyInterface(v.PubKey)
		if err != nil {
			return nil, err
		}
		packed, err := codectypes.NewAnyWithValue(key)
		if err != nil {
			return nil, err
		}
		operator := sdk.ValAddress(v.Address).String()
		zero := sdkmath.LegacyZeroDec()
		bonded = append(bonded, stakingtypes.Validator{
			OperatorAddress: operator, ConsensusPubkey: packed, Status: stakingtypes.Bonded,
			Tokens: sdk.DefaultPowerReduction, DelegatorShares: sdkmath.LegacyOneDec(),
			Commission: stakingtypes.NewCommission(zero, zero, zero), MinSelfDelegation: sdkmath.ZeroInt(),
		})
		delegations = append(delegations, stakingtypes.NewDelegation(delegator.String(), operator, sdkmath.LegacyOneDec()))
	}
	return stakingtypes.NewGenesisState(stakingtypes.DefaultParams(), bonded, delegations), nil
}

// cosmosWork is signed bank sends, made before the run.
type cosmosWork struct {
	txs   [][]byte
	index map[[32]byte]int
}

func (w *cosmosWork) count() int      { return len(w.txs) }
func (w *cosmosWork) tx(i int) []byte { return w.txs[i] }
func (w *cosmosWork) find(tx []byte) int {
	if i, ok := w.index[sha256.Sum256(tx)]; ok {
		return i
	}
	return -1
}

func cosmosKeys() []*secp256k1.PrivKey {
	keys := make([]*secp256k1.PrivKey, cosmosAccounts)
	for i := range keys {
		keys[i] = cosmosKey(i)
	}
	return keys
}

// newCosmosWork signs n sends, account after account in turn.
func newCosmosWork(keys []*secp256k1.PrivKey, n int) (*cosmosWork, error) {
	p, err := cosmosBuild()
	if err != nil {
		return nil, err
	}
	w := &cosmosWork{txs: make([][]byte, n), index: make(map[[32]byte]int, n)}
	workers := runtime.GOMAXPROCS(0)
	faults := make([]error, workers)
	var done sync.WaitGroup
	for worker := range workers {
		done.Go(func() {
			for i := worker; i < n && faults[worker] == nil; i += workers {
				w.txs[i], faults[worker] = cosmosSend(p.tx, keys, i)
			}
		})
	}
	done.Wait()
	for _, err := range faults {
		if err != nil {
			return nil, err
		}
	}
	for i, tx := range w.txs {
		w.index[sha256.Sum256(tx)] = i
	}
	return w, nil
}

func cosmosSend(config client.TxConfig, keys []*secp256k1.PrivKey, i int) ([]byte, error) {
	payer, sequence := i%len(keys), uint64(i/len(keys))
	key := keys[payer]
	from, to := sdk.AccAddress(key.PubKey().Address()), sdk.AccAddress(keys[(payer+1)%len(keys)].PubKey().Address())
	builder := config.NewTxBuilder()
	amount := sdk.NewCoins(sdk.NewInt64Coin(sdk.DefaultBondDenom, 1))
	if err := builder.SetMsgs(banktypes.NewMsgSend(from, to, amount)); err != nil {
		return nil, err
	}
	builder.SetGasLimit(200_000)
	mode, err := authsign.APISignModeToInternal(config.SignModeHandler().DefaultMode())
	if err != nil {
		return nil, err
	}
	data := &signing.SingleSignatureData{SignMode: mode}
	signature := signing.SignatureV2{PubKey: key.PubKey(), Data: data, Sequence: sequence}
	if err := builder.SetSignatures(signature); err != nil {
		return nil, err
	}
	message, err := authsign.GetSignBytesAdapter(context.Background(), config.SignModeHandler(), mode, authsign.SignerData{
		Address: from.String(), ChainID: chainID, AccountNumber: uint64(payer), Sequence: sequence, PubKey: key.PubKey(),
	}, builder.GetTx())
	if err != nil {
		return nil, err
	}
	if data.Signature, err = key.Sign(message); err != nil {
		return nil, err
	}
	if err := builder.SetSignatures(signature); err != nil {
		return nil, err
	}
	return config.TxEncoder()(builder.GetTx())
}
